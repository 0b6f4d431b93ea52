#!/usr/bin/env python3
"""Verifies Testamur evidence offline and reads the registries from it. Written from FORMATS.md, sections 8 and 9.
    registries.py EVIDENCE --trust FILE [--at TIME] [--did DID | --chain ATTRIBUTE | --issuer DID]
Exit codes: 0 it holds, 1 cannot read, 2 usage, 3 refused, 4 cannot tell."""
import argparse, calendar, json, re, sys, time, zlib
import verify
from verify import Refused, attempt, decode, ensure, exact, h, need

GENERAL = {"VerifiableCredential", "VerifiableAttestation", "VerifiableAccreditation"}
KINDS = {"root-tao": "VerifiableAuthorisationForTrustChain", "tao": "VerifiableAccreditationToAccredit",
         "ti": "VerifiableAccreditationToAttest", None: "VerifiableAuthorisationToOnboard"}
KEY = r"[a-z-]+/[!-.0-~]+/(head|[1-9][0-9]{0,18})"
LINKS_MAX = 5

class State:
    """A part of the state, proven under one header."""
    def __init__(self, raw, trust):
        need(len(raw) <= 4 * 1024 * 1024, "evidence.malformed")
        evidence = attempt("evidence.malformed", exact, raw, "evidence", 16)
        need((evidence["v"], evidence["type"]) == (1, "testamur-evidence"), "evidence.unknown-format")
        need(len(evidence["state"]) <= 256 and len(evidence["epochs"]) <= 1040, "evidence.malformed")
        need(evidence["network"]["genesis"] == trust.network, "receipt.unknown-network")
        need(evidence["network"]["origin"] == trust.origin, "receipt.origin")
        self.header = attempt("receipt.header", exact, evidence["header"].encode(), "header")
        need(self.header["genesis"] == trust.network, "receipt.header")
        epoch, self.witnesses = trust.certify(self.header, evidence["note"], evidence["epochs"])
        need(evidence["validators"] == epoch[1], "receipt.validators")
        pinned = trust.pinned[0] if trust.pinned else self.header
        need(pinned["height"] != self.header["height"] or pinned == self.header, "receipt.contradiction")
        self.values, last = {}, ""
        for item in evidence["state"]:
            need(re.fullmatch(KEY, item["key"]), "evidence.malformed")
            value = item["value"].encode() if "value" in item else None
            need(verify.proven(item["key"], value, item["proof"], self.header["state_root"]), "evidence.proof")
            need(last < item["key"], "evidence.malformed")
            last, self.values[item["key"]] = item["key"], value

    def get(self, key, shape):
        """The value of a key; None when it is proven absent. What the node left out is an error, never "absent"."""
        need(key in self.values, "evidence.not-proven")
        value = self.values[key]
        return None if value is None else exact(value, shape)

    def entry_at(self, thing, at, shape):
        """The newest entry whose block is not later; the head is read first, then a binary search."""
        newest, found = self.get(thing + "/head", shape), None
        if newest is None or newest["time"] <= at:
            return newest
        low, high = 1, newest["seq"] - 1
        while low <= high:
            middle = (low + high) // 2
            entry = self.get("%s/%d" % (thing, middle), shape)
            ensure(entry is not None and entry["seq"] == middle, "a gap in the history")
            if entry["time"] <= at:
                low, found = middle + 1, entry
            else:
                high = middle - 1
        return found

    def document(self, did, at):
        """The DID document as of a time, with every compromise declared since; None when it was not registered."""
        newest, entry = self.get("did/%s/head" % did, "did-entry"), None
        if newest is not None:
            entry = self.entry_at("did/" + did, at, "did-entry")
        known = {m["id"]: m.get("compromised_from") for m in newest["methods"]} if newest else {}
        for method in entry["methods"] if entry else []:
            method["compromised_from"] = known.get(method["id"])
        return entry

def usable(method, relationships, at):
    compromised = method.get("compromised_from")
    holds = [g for g in method["grants"] if g["relationship"] in relationships and g["not_before"] <= at < g.get("not_after", at + 1)]
    return not (compromised is not None and compromised <= at) and bool(holds)

def instant(text):
    parts = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(\.\d+)?([Zz]|([+-])(\d\d):(\d\d))", text)
    ensure(parts, "not an RFC 3339 time")
    offset = (int(parts[10]) * 3600 + int(parts[11]) * 60) * (-1 if parts[9] == "-" else 1) if parts[9] else 0
    seconds = calendar.timegm(time.strptime("%s-%s-%s %s:%s:%s" % parts.groups()[:6], "%Y-%m-%d %H:%M:%S")) - offset
    ensure(seconds >= 0, "before 1970")
    return seconds

def many(value): return value if isinstance(value, list) else [value]

def schema_id(text):
    last = text.split("/")[-1]
    if last.startswith("z"):
        number = 0
        for character in last[1:]:
            number = number * 58 + verify.BASE58.index(character)
        return number.to_bytes(32, "big").hex()
    last = last[2:] if last.startswith("0x") else last
    ensure(re.fullmatch("[0-9a-f]{64}", last), "not a schema id")
    return last

class Credential:
    """An accreditation credential: what section 9 reads of the VC-JWT."""
    def __init__(self, jwt):
        ensure(len(jwt) <= 32768 and jwt.isascii(), "too long, or not ASCII")
        self.signed, _, signature = jwt.rpartition(".")
        head, payload = (json.loads(decode(part)) for part in self.signed.split("."))
        self.signature, self.alg, self.kid = decode(signature), head["alg"], head["kid"]
        ensure(head.get("crit") is None and head.get("b64") is None and head.get("typ", "JWT") == "JWT", "header")
        vc = payload["vc"]
        issuer = vc["issuer"] if isinstance(vc["issuer"], str) else vc["issuer"]["id"]
        ensure(payload["iss"] == issuer == self.kid.split("#")[0], "iss, issuer and the kid's DID differ")
        subject = vc["credentialSubject"]
        ensure(payload.get("sub", subject["id"]) == subject["id"], "sub is another")
        kinds = [kind for kind, name in KINDS.items() if name in vc["type"]]
        ensure(len(kinds) == 1, "not exactly one kind")
        self.kind, self.issuer, self.subject = kinds[0], issuer, subject["id"]
        attribute = subject.get("reservedAttributeId")
        self.attribute = attribute[2:] if attribute and attribute.startswith("0x") else attribute
        dates = lambda *names: [instant(vc[name]) for name in names if vc.get(name)][:1]
        claim = lambda name: [payload[name]] if name in payload else []
        begin, end = dates("validFrom", "issuanceDate") + claim("nbf"), dates("expirationDate") + claim("exp")
        self.begin, self.end = max(begin), min(end) if end else None
        ensure(self.end is None or self.begin < self.end, "ends before it begins")
        self.scopes = [{"schema": schema_id(s["schemaId"]), "types": set(s["types"]) - GENERAL,
                        "jurisdictions": set(many(s.get("limitJurisdiction", [])))} for s in subject.get("accreditedFor", [])]

    def valid_at(self, at): return self.begin <= at and (self.end is None or at < self.end)

    def covers(self, scope):
        """None, or what lies outside: `schema`, `type` or `jurisdiction`."""
        if self.kind == "root-tao" and not self.scopes:
            return None
        of_schema = [s for s in self.scopes if s["schema"] == scope["schema"]]
        of_types = [s for s in of_schema if scope["types"] <= s["types"]]
        part = lambda inner, outer: inner == outer or inner.startswith(outer + "_")
        within = [s for s in of_types if not s["jurisdictions"] or scope["jurisdictions"] and all(
            any(part(j, own) for own in s["jurisdictions"]) for j in scope["jurisdictions"])]
        return None if within else "jurisdiction" if of_types else "type" if of_schema else "schema"

def link(state, attribute, at):
    """One link of a chain: the entry in force and its credential, every check of section 9 that needs no parent."""
    newest = state.get("attribute/%s/head" % attribute, "attribute-entry")
    need(newest, "chain.unknown-attribute")
    need(not (newest.get("ended") and newest["ended"]["effective"] <= at), "chain.ended")
    entry = state.entry_at("attribute/" + attribute, at, "attribute-entry")
    need(entry and entry.get("credential"), "chain.not-in-place")
    credential = attempt("chain.credential", Credential, entry["credential"])
    same = (credential.kind, credential.subject, credential.attribute, credential.issuer)
    need(same == (entry["issuer_type"], entry["subject"], attribute, entry["accreditor"]), "chain.credential")
    need(credential.valid_at(at), "chain.dates")
    document = state.document(entry["accreditor"], entry["filled"])
    need(document, "chain.accreditor-unknown")
    method = next((m for m in document["methods"] if m["id"] == credential.kid.split("#")[1]), None)
    compromised = method and method.get("compromised_from")
    need(not (compromised is not None and compromised <= entry["filled"]), "chain.key-compromised")
    need(method and usable(method, ["assertionMethod"], entry["filled"]), "chain.key")
    attempt("chain.signature", verify.check_jws, method["key"], credential.alg, credential.signed.encode(), credential.signature)
    return entry, credential

def chain(state, attribute, at):
    """The links from an attribute to its Root TAO; every signature, date and scope is checked."""
    links, subjects = [], set()
    while True:
        entry_type = state.get("attribute/%s/head" % attribute, "attribute-entry")
        entry, credential = link(state, attribute, at)
        child = links[-1] if links else None
        may = not child or entry["issuer_type"] in ("root-tao", "tao") and child[0]["issuer_type"] in ("tao", "ti")
        need(entry_type and may and len(links) < LINKS_MAX and entry["subject"] not in subjects, "chain.no-root")
        need(not child or entry["subject"] == child[1].issuer, "chain.no-root")
        for scope in child[1].scopes if child else []:
            outside = credential.covers(scope)
            need(outside is None, "chain.scope-%s" % outside)
        links.append((entry, credential))
        subjects.add(entry["subject"])
        if entry["issuer_type"] == "root-tao":
            return links
        attribute = entry["parent"]

def issuer_chain(state, did, at):
    """The first chain of an issuer that holds; refused as the newest accreditation is when none does."""
    issuer, refusal = state.get("issuer/%s/head" % did, "issuer-entry"), Refused("chain.not-accredited")
    for attribute in issuer["attributes"] if issuer else []:
        try:
            return chain(state, attribute, at)
        except Refused as error:
            if error.args[0].startswith("evidence."):
                raise
            refusal = error
    raise refusal

def stored(raw):
    """DEFLATE of stored blocks only: the same bytes from every implementation."""
    pieces = [raw[i:i + 65535] for i in range(0, len(raw), 65535)] or [b""]
    little = lambda n: n.to_bytes(2, "little")
    return b"".join(bytes([n == len(pieces) - 1]) + little(len(p)) + little(len(p) ^ 65535) + p for n, p in enumerate(pieces))

def tokens(public_base, issuer, status, bits, jwk):
    """The three tokens of a status list: derived from its bits, with the signatures of the record. Verified here, too."""
    gzip = bytes.fromhex("1f8b08000000000000ff") + stored(bits) + zlib.crc32(bits).to_bytes(4, "little") + len(bits).to_bytes(4, "little")
    if status["purpose"] == "revocation":
        width, packed = 1, bytes(int("{:08b}".format(b)[::-1], 2) for b in bits)
    else:
        width, packed = 2, b"".join(sum(2 << 8 * (i // 4) + 2 * (i % 4) for i in range(8) if b >> 7 - i & 1).to_bytes(2, "little") for b in bits)
    lst = b"\x78\x01" + stored(packed) + zlib.adler32(packed).to_bytes(4, "big")
    date = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(status["issued"]))
    proxy = "0x" + h(b"testamur/proxy/v1\n", issuer.encode()).hex()
    here = "%s/v1/status-lists/%s/%s/" % (public_base, issuer, status["list"])
    ids = ["%s/trusted-issuers-registry/v5/issuers/%s/proxies/%s/credentials/status/%s" % (public_base, issuer, proxy, status["list"]),
           here + "bitstring", here + "token"]
    subject = lambda n, kind, encoded: {"id": ids[n] + "#list", "type": kind, "statusPurpose": status["purpose"], "encodedList": encoded}
    payloads = [
        {"jti": ids[0], "sub": ids[0] + "#list", "iss": issuer, "nbf": status["issued"], "iat": status["issued"], "vc": {
            "@context": ["https://www.w3.org/2018/credentials/v1", "https://w3id.org/vc/status-list/2021/v1"], "id": ids[0],
            "type": ["VerifiableCredential", "VerifiableAttestation", "StatusList2021Credential"], "issuer": issuer,
            "issuanceDate": date, "issued": date, "validFrom": date,
            "credentialSubject": subject(0, "StatusList2021", verify.encode(gzip, url=False)),
            "credentialSchema": {"id": public_base + "/trusted-schemas-registry/v3/schemas/z7DmpwC9doRxZrtQ9PBjz8qQgGWqojkGExELnrw1x8qdi",
                                 "type": "FullJsonSchemaValidator2021"}}},
        {"@context": ["https://www.w3.org/ns/credentials/v2"], "id": ids[1], "type": ["VerifiableCredential", "BitstringStatusListCredential"],
         "issuer": issuer, "validFrom": date, "credentialSubject": subject(1, "BitstringStatusList", "u" + verify.encode(gzip))},
        {"sub": ids[2], "iat": status["issued"], "status_list": {"bits": width, "lst": verify.encode(lst)}},
    ]
    algorithm = "EdDSA" if jwk["kty"] == "OKP" else verify.CURVES[jwk["crv"]][3]
    made = []
    for payload, typ, name in zip(payloads, ("JWT", "vc+jwt", "statuslist+jwt"), ("status_list_2021", "bitstring", "token")):
        head = {"alg": algorithm, "kid": status["kid"], "typ": typ}
        signed = verify.encode(verify.canonical(head)) + "." + verify.encode(verify.canonical(payload))
        verify.check_jws(jwk, algorithm, signed.encode(), decode(status["signatures"][name]))
        made.append(signed + "." + status["signatures"][name])
    return made

def judge(raw, trust, at=None, question=None, subject=None):
    """(exit code, `holds` or a slug, what was found)."""
    try:
        state = State(raw, trust)
        at = state.header["time"] if at is None else at
        if question == "did":
            document = state.document(subject, at)
            keys = [] if document is None or document["deactivated"] else [
                m["id"] for m in document["methods"] if usable(m, verify.shapes.WORDS["relationship"].split(), at)]
            return 0, "registered" if document else "absent", {"keys": keys}
        if question in ("chain", "issuer"):
            links = (chain if question == "chain" else issuer_chain)(state, subject, at)
            return 0, "holds", [entry["entity"]["names"][0]["name"] for entry, _ in links]
        return 0, "holds", {"height": state.header["height"], "present": sorted(k for k, v in state.values.items() if v is not None)}
    except Refused as error:
        unknown = error.args[0] in ("receipt.unknown-network", "evidence.unknown-format", "evidence.not-proven")
        return 4 if unknown else 3, error.args[0], str(error.__cause__ or "")

def main():
    parser = argparse.ArgumentParser(description="Verifies Testamur evidence offline.")
    parser.add_argument("evidence")
    parser.add_argument("--trust", required=True)
    parser.add_argument("--at", type=int)
    [parser.add_argument("--" + question) for question in ("did", "chain", "issuer")]
    options = parser.parse_args()
    asked = [(q, getattr(options, q)) for q in ("did", "chain", "issuer") if getattr(options, q)]
    try:
        with open(options.evidence, "rb") as raw, open(options.trust, "rb") as trust:
            code, verdict, facts = judge(raw.read(), verify.Trust(trust.read()), options.at, *(asked[0] if asked else ()))
    except (OSError, Refused, *verify.MALFORMED) as error:
        return print("cannot read: %s" % error, file=sys.stderr) or 1
    return print(json.dumps({"verdict": verdict, "facts": facts}, indent=2)) or code

if __name__ == "__main__":
    sys.exit(main())
