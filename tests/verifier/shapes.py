"""The tables of FORMATS.md as data for verify.py. A shape lists `member:type`, `?` optional, `[]` a list of; a name in CHOICES
is one of several shapes, told apart by `type`; one in WORDS is one of the words."""
WORDS = {
    "form": "digest commitment", "tree": "rfc6962-sha256", "issuer-type": "root-tao tao ti", "purpose": "revocation suspension",
    "reason": "cessation-of-operation key-compromise privilege-withdrawn superseded", "scheme": "eter deqar vat",
    "end": "obtained-by-fraud key-compromise cessation-of-operation privilege-withdrawn superseded",
    "relationship": "authentication assertionMethod keyAgreement capabilityInvocation capabilityDelegation",
    "algorithm": "sha2-256 sha2-384 sha2-512 sha3-256 sha3-384 sha3-512 Ed25519 P-256 P-384 secp256k1",
}
CHOICES = {
    "act": "notarise notarise-batch propose approve open-dossier update-dossier insert-did update-did reserve-attribute fill-attribute "
           "end-accreditation publish-schema publish-status synced",
    "change": "grant-writer revoke-writer admit-did accredit-root end-root change-validators withdraw-set-change change-operators set-parameters "
              "set-protocol retire-algorithm set-page-hosts",
    "dossier-change": "add-version append-digests add-owner revoke-owner",
    "did-change": "set-services add-controller revoke-controller add-method add-relationship revoke-method expire-method roll-method "
                  "declare-compromised deactivate",
}
SHAPES = {
    # Headers, sets, receipts
    "key": "alg:ed25519 key:data", "header-ref": "height:n hash:hex", "link": "header:text note:text validators:set",
    "validator": "address:hex name:part operator:legal country:country did:did keys:key[] log_key:data peer_key:data not_after:n",
    "registration": "v:1 name:part operator:legal country:country did:did keys:key[] log_key:data peer_key:data not_after:n",
    "header": "v:1 genesis:hex protocol:u32 height:n time:n previous:hex history_root:hex log_size:n log_root:hex state_root:hex epoch:n "
              "validators_hash:hex next_validators_hash:hex parameters_hash:hex epoch_header:header-ref proposer:hex",
    "receipt": "v:u8 type:text network:network record:text index:n path:hex[] header:text note:text validators:set epochs:link[] "
               "author:author opening?:opening anchors:any[] algorithms:algorithms digest?:data",
    "network": "genesis:hex origin:text", "algorithms": "tree:text header:text certificate:text", "author-state": "document:text proof:proof",
    "jwk": "crv:text kty:text x:text y?:text", "opening": "index:n alg:alg digest:data salt?:salt path?:hex[]",
    "anchor": "kind:text header:text note:text epochs:link[] history:hex[]", "jose": "alg:jws kid:did-url typ:typ cty?:json",
    "payload": "v:1 net:hex iss:did jti:ref iat:n exp:n act:act", "author": "jwk:jwk state?:author-state",
    # Acts
    "notarise": "type:text alg:alg form:form entries:data[] ref?:ref", "notarise-batch": "type:text tree:tree root:hex count:count ref?:ref",
    "propose": "type:text change:change governance_version:n expires:n", "approve": "type:text proposal:hex governance_version:n",
    "grant-writer": "type:text did:did", "revoke-writer": "type:text did:did reason:reason", "admit-did": "type:text did:did jkt:text",
    "accredit-root": "type:text did:did jkt:text attribute:hex entity:entity", "end-root": "type:text attribute:hex effective:n reason:end",
    "synced": "type:text validator:hex height:n header:hex",
    # Members and what the network runs on
    "change-validators": "type:text add:new-validator[] remove:hex[] rotate:rotation[] from:n", "withdraw-set-change": "type:text",
    "new-validator": "registration:registered possession:possession", "possession": "consensus:data log:data peer:data",
    "rotation": "validator:hex registration:registered possession:possession",
    "registered": "v:u8 name:text operator:text country:text did:did keys:key[] log_key:data peer_key:data not_after:n",
    "change-operators": "type:text add:operator[] remove:did[] rotate:succession[] approvals_required?:u32",
    "operator": "did:did name:text country:text", "succession": "did:did successor:did",
    "set-parameters": "type:text parameters:parameters from:n", "set-protocol": "type:text protocol:u32 from:n",
    "parameters": "heartbeat_s:u32 block_bytes_max:u32 clock_tolerance_s:u32 propose_timeout_ms:u32 vote_timeout_ms:u32 round_timeout_ms:u32",
    "retire-algorithm": "type:text algorithm:algorithm from:n", "set-page-hosts": "type:text hosts:text[]",
    # Dossiers
    "open-dossier": "type:text alg:alg entries:data[]", "update-dossier": "type:text dossier:hex prev:hex change:dossier-change",
    "add-version": "type:text alg:alg entries:data[]", "append-digests": "type:text alg:alg entries:data[]",
    "add-owner": "type:text owner:owner", "revoke-owner": "type:text did:did", "owner": "did:did not_before:n not_after?:n",
    # DID documents
    "insert-did": "type:text methods:new-method[] controllers?:did[] services?:service[] authorisation?:text",
    "update-did": "type:text did:did prev:hex changes:did-change[]",
    "new-method": "key:jwk grants:grant[]", "grant": "relationship:relationship not_before:n not_after?:n",
    "service": "id:text type:text endpoint:text", "set-services": "type:text services:service[]",
    "add-controller": "type:text did:did", "revoke-controller": "type:text did:did", "add-method": "type:text method:new-method",
    "add-relationship": "type:text method:text grant:grant", "revoke-method": "type:text method:text",
    "expire-method": "type:text method:text not_after:n",
    "roll-method": "type:text old:text key:jwk not_before:n not_after?:n old_not_after:n",
    "declare-compromised": "type:text method:text from:n", "deactivate": "type:text",
    # Accreditations
    "reserve-attribute": "type:text attribute:hex subject:did issuer_type:issuer-type parent:hex entity:entity prev?:hex",
    "fill-attribute": "type:text attribute:hex prev:hex credential:text",
    "end-accreditation": "type:text attribute:hex prev:hex effective:n reason:end",
    "entity": "names:legal-name[] country:text identifiers?:identifier[]", "legal-name": "lang:text name:text",
    "identifier": "scheme:scheme value:text",
    # Schemas and status lists
    "publish-schema": "type:text schema:hex body:text prev?:hex", "publish-status": "type:text status:status-version prev?:hex",
    "status-version": "list:ref version:n purpose:purpose size:n sha256:hex issued:n kid:did-url signatures:status-signatures",
    "status-signatures": "status_list_2021:data bitstring:data token:data",
    # Values of the state that a receipt needs
    "did-entry": "v:1 seq:n height:n time:n record:hex controllers:did[] methods:method[] services:service[] deactivated:bool",
    "method": "id:text key:jwk grants:grant[] revoked?:n compromised_from?:n",
    "attribute-entry": "v:1 seq:n height:n time:n record:hex subject:did accreditor:did root:did parent:hex issuer_type:issuer-type "
                       "entity:entity credential?:text filled?:n ended?:ended", "ended": "effective:n reason:end",
    "issuer-entry": "v:1 seq:n height:n time:n attributes:hex[]",
    "status-entry": "v:1 seq:n height:n time:n record:hex issuer:did status:status-version",
    "schema-entry": "v:1 seq:n height:n time:n record:hex owner:did body:text",
    # Proofs
    "evidence": "v:u8 type:text network:network header:text note:text validators:set epochs:link[] state:proven-key[]",
    "proven-key": "key:text value?:text proof:proof",
    "proof": "v:1 leaf?:proof-leaf siblings:hex[]", "proof-leaf": "path:hex value:hex",
}
