//! The codes of the ledger's rules, for the documentation. Those of records stand in the primitives and are described
//! here; the registry's are given by whoever builds the API.

/// A code of the ledger's rules and what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RejectionCode {
    /// Stable slug.
    pub code: &'static str,
    /// Stable number.
    pub number: u16,
    /// What it means and what to do.
    pub description: &'static str,
}

macro_rules! codes {
    ($($code:literal $number:literal $description:literal;)*) => {
        &[$(RejectionCode { code: $code, number: $number, description: $description }),*]
    };
}

/// Codes of records that are malformed, forged or out of time.
pub const RECORD_CODES: &[RejectionCode] = codes! {
    "record.too-large" 100 "More than 65,535 bytes: split the record, or use a batch.";
    "record.not-compact-jws" 101 "Not three parts of unpadded base64url.";
    "record.header" 102 "The JOSE header has members that are unknown, doubled or forbidden.";
    "record.algorithm" 103 "The algorithm is not accepted; `none` never is.";
    "record.type" 104 "typ or cty is not the format's.";
    "record.seal" 105 "Certificates in the header belong to seals, which this protocol does not take yet.";
    "record.payload" 106 "The payload is not canonical JSON of the format.";
    "record.version" 107 "A payload version that this network does not speak.";
    "record.key-not-of-author" 108 "kid is not a key id of iss.";
    "record.key" 109 "The key id cannot be used.";
    "record.signature" 110 "The signature does not verify, or alg does not belong to the key.";
    "record.entry-count" 111 "A notarise record holds 1 to 512 entries, a version of a dossier 1 to 64.";
    "record.entry-length" 112 "An entry does not have the length of its algorithm and form.";
    "record.batch-count" 113 "A batch counts 1 to 2^32 documents.";
    "record.wrong-network" 114 "The record was made for another network.";
    "record.life" 115 "exp must be after iat, by at most 24 hours.";
    "record.too-old" 116 "Expired, or made more than 24 hours ago: sign it anew.";
    "record.too-early" 117 "Made more than 300 seconds in the future: check the author's clock.";
};

#[cfg(test)]
mod tests {
    use super::*;
    use testamur_primitives::codec::CodecError;
    use testamur_primitives::did::DidError;
    use testamur_primitives::hash::GenesisHash;
    use testamur_primitives::key::KeyError;
    use testamur_primitives::record::RecordError;
    use testamur_primitives::units::UnixTime;

    #[test]
    fn every_code_of_a_record_is_described() {
        let time = UnixTime(0);
        let all = [
            RecordError::TooLarge(0),
            RecordError::NotCompactJws,
            RecordError::Header(CodecError::NotCanonical),
            RecordError::Algorithm(String::new()),
            RecordError::Type,
            RecordError::Seal,
            RecordError::Payload(CodecError::NotCanonical),
            RecordError::Version(2),
            RecordError::KeyNotOfAuthor,
            RecordError::Key(DidError::BadKey),
            RecordError::Signature(KeyError::BadSignature),
            RecordError::EntryCount { found: 0, most: 1 },
            RecordError::EntryLength { index: 0, found: 0, expected: 0 },
            RecordError::BatchCount,
            RecordError::WrongNetwork(GenesisHash::ZERO),
            RecordError::Life,
            RecordError::TooOld { iat: time, exp: time, time },
            RecordError::TooEarly { iat: time, time },
        ];
        let described: Vec<_> = RECORD_CODES.iter().map(|c| (c.code, c.number)).collect();
        assert_eq!(described, all.iter().map(RecordError::code).collect::<Vec<_>>());
    }
}
