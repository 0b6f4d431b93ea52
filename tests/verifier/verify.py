#!/usr/bin/env python3
"""Verifies a Testamur receipt offline. Written from FORMATS.md: standard library and `cryptography`, at most 300 lines.
    verify.py [DOCUMENT] RECEIPT --trust FILE [--at TIME]                                    (many at once: batch.py)
Exit codes: 0 confirmed, 1 cannot read, 2 usage, 3 not valid, 4 cannot tell, 5 keys out of office."""
import argparse, base64, functools, hashlib, json, re, sys, time, unicodedata
import shapes
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils
MALFORMED = (ValueError, KeyError, TypeError, IndexError, RecursionError, InvalidSignature)
class Refused(Exception): """Carries a stable code."""
def need(holds, what, kind=Refused):
    if not holds:
        raise kind(what)
ensure = functools.partial(need, kind=ValueError)
def attempt(code, function, *arguments):
    try:
        return function(*arguments)
    except MALFORMED as error:
        raise Refused(code) from error
def h(*parts): return hashlib.sha256(b"".join(parts)).digest()
def integer(text):
    ensure(text.isdigit() and len(text) <= 20, "not a non-negative integer: " + text[:30])
    return int(text)
def members(pairs):
    ensure(len(dict(pairs)) == len(pairs) and all(name.isascii() for name, _ in pairs), "a member twice, or not ASCII")
    return dict(pairs)
def strict(raw, depth_max=8):
    """JSON in any spacing; nothing doubled or too deep (null counts as that), no numbers but non-negative integers."""
    value = json.loads(raw.decode(), object_pairs_hook=members, parse_int=integer, parse_float=integer, parse_constant=integer)
    ensure(depth(value) <= depth_max, "nested too deep")
    return value
def depth(v): return 1 + max(map(depth, v.values() if isinstance(v, dict) else v), default=0) if isinstance(v, (dict, list)) else 99 * (v is None)
def canonical(value): return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
def exact(raw, shape, depth_max=8):
    value = fit(strict(raw, depth_max), shape)
    ensure(canonical(value) == raw, "not canonical JSON")
    return value
def encode(raw, url=True):
    return base64.urlsafe_b64encode(raw).decode().rstrip("=") if url else base64.b64encode(raw).decode()
def decode(text, url=True):
    raw = base64.b64decode(text + "=" * (-len(text) % 4 if url else 0), b"-_" if url else b"+/")
    ensure(encode(raw, url) == text, "not canonical base64")
    return raw
def like(pattern): return lambda v: isinstance(v, str) and re.fullmatch(pattern, v)
def upto(limit): return lambda v: type(v) is int and v <= limit
ALGS, DID = ["sha2-256", "sha2-384", "sha2-512", "sha3-256", "sha3-384", "sha3-512"], "did:[a-z0-9]+:[A-Za-z0-9._:-]*[A-Za-z0-9._-]"
TYPES = {
    "any": lambda v: True, "text": like("(?s:.*)"), "n": upto(2**53 - 1), "u8": upto(255), "u32": upto(2**32 - 1), "hex": like("[0-9a-f]{64}"),
    "1": lambda v: type(v) is int and v == 1, "count": lambda v: upto(2**32)(v) and v > 0, "salt": lambda v: len(decode(v)) == 32,
    "data": lambda v: decode(v) is not None, "did": lambda v: like(DID)(v) and len(v) <= 400, "ref": like("[A-Za-z0-9._-]{1,64}"),
    "did-url": lambda v: like(DID + "#[A-Za-z0-9._-]+")(v) and len(v.split("#")[0]) <= 400 and len(v) <= 800, "json": like("json"),
    "legal": lambda v: 0 < len(v.encode()) <= 200 and not any(unicodedata.category(c) == "Cc" for c in v), "country": like("[A-Z]{2}"),
    "part": like("[a-z0-9.-]{1,100}"), "ed25519": like("ed25519"), "set": lambda v: valid_set(v), "bool": lambda v: isinstance(v, bool),
    "alg": like("|".join(ALGS)), "jws": like("ES256|ES384|ES256K|EdDSA|Ed25519"), "typ": like(r"testamur-record-v1\+jws"),
    **{name: like(words.replace(" ", "|")) for name, words in shapes.WORDS.items()},
    **{name: lambda v, one=names.split(): v["type"] in one and fit(v, v["type"]) for name, names in shapes.CHOICES.items()},
}
SHAPES = {name: [member.split(":") for member in shape.split()] for name, shape in shapes.SHAPES.items()}
def fit(value, shape):
    if shape.endswith("[]"):
        ensure(isinstance(value, list) and all(fit(item, shape[:-2]) is item for item in value), "not a list")
    elif shape in TYPES:
        ensure(TYPES[shape](value), "not of type %s: %.50r" % (shape, value))
    else:
        known = {name.rstrip("?") for name, _ in SHAPES[shape]}
        ensure(isinstance(value, dict) and set(value) <= known, "not the members of a " + shape)
        [fit(value[name.rstrip("?")], inner) for name, inner in SHAPES[shape] if name[-1] != "?" or name[:-1] in value]
    return value
P, D, Y8 = 2**255 - 19, -121665 * pow(121666, -1, 2**255 - 19), 0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826
@functools.lru_cache(maxsize=65536)
def point(raw):
    """Refuses what is not a point in its one encoding and what has small order; OpenSSL does neither."""
    y = int.from_bytes(raw, "little") & (2**255 - 1)
    square = pow((y * y - 1) * pow(D * y * y + 1, -1, P), (P - 1) // 2, P) == 1
    ensure(len(raw) == 32 and square and y < P and y not in (0, 1, P - 1, Y8, P - Y8), "small order, or not canonical")
    return True
def check_ed25519(key, message, signature):
    """The strict rule: canonical A and R, neither of small order; OpenSSL does S < L and the bytes of [S]B - [k]A = R."""
    point(key), point(signature[:32]), ed25519.Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
CURVES = {"P-256": (ec.SECP256R1(), hashes.SHA256(), 32, "ES256"), "P-384": (ec.SECP384R1(), hashes.SHA384(), 48, "ES384"),
          "secp256k1": (ec.SECP256K1(), hashes.SHA256(), 32, "ES256K")}
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
CODECS = {b"\xed\x01": ("Ed25519", 34), b"\x80\x24": ("P-256", 35), b"\x81\x24": ("P-384", 51), b"\xe7\x01": ("secp256k1", 35)}
def to_jwk(curve, raw):
    if curve == "Ed25519":
        return point(raw) and {"crv": curve, "kty": "OKP", "x": encode(raw)}
    numbers = ec.EllipticCurvePublicKey.from_encoded_point(CURVES[curve][0], raw).public_numbers()
    x, y = (encode(n.to_bytes(CURVES[curve][2], "big")) for n in (numbers.x, numbers.y))
    return {"crv": curve, "kty": "EC", "x": x, "y": y}
def from_jwk(jwk): return b"\4" + decode(jwk["x"]) + decode(jwk["y"]) if "y" in jwk else decode(jwk["x"])
def did_key(kid):
    owner, _, fragment = kid.partition("#")
    ensure(owner == "did:key:" + fragment and fragment[:1] == "z" and fragment[1:2] != "1", "not the key id of a did:key")
    value = functools.reduce(lambda n, c: n * 58 + BASE58.index(c), fragment[1:], 0)
    raw = value.to_bytes((value.bit_length() + 7) // 8, "big")
    curve, size = CODECS.get(raw[:2], ("", 0))
    if len(raw) == size and (curve == "Ed25519" or raw[2] in (2, 3)):
        return to_jwk(curve, raw[2:])
    ensure(raw[:3] == b"\xd1\xd6\x03", "unknown codec")
    jwk = exact(raw[3:], "jwk")
    ensure(to_jwk(jwk["crv"], from_jwk(jwk)) == jwk, "not a key in its one form")
    return jwk
def check_jws(jwk, alg, message, signature):
    if jwk["kty"] == "OKP":
        ensure(alg in ("EdDSA", "Ed25519"), "the algorithm is not the key's")
        return check_ed25519(from_jwk(jwk), message, signature)
    curve, digest, size, expected = CURVES[jwk["crv"]]
    ensure(alg == expected and len(signature) == 2 * size, "the algorithm is not the key's, or a wrong length")
    der = utils.encode_dss_signature(*(int.from_bytes(part, "big") for part in (signature[:size], signature[size:])))
    ec.EllipticCurvePublicKey.from_encoded_point(curve, from_jwk(jwk)).verify(der, message, ec.ECDSA(digest))
def included(leaf, index, size, path, root):
    """RFC 9162, 2.1.3.2; path and root in hex. Below level `inner` a sibling's side is a bit of the index, above it is left."""
    inner = (index ^ (size - 1)).bit_length()
    if index >= size or len(path) != inner + bin(index >> inner).count("1"):
        return False
    for level, sibling in enumerate(map(bytes.fromhex, path)):
        leaf = h(b"\1", sibling, leaf) if level >= inner or index >> level & 1 else h(b"\1", leaf, sibling)
    return leaf.hex() == root
def proven(key, value, proof, root):
    """Section 8: under the root (hex) the key has this value (bytes), or, with None, is absent."""
    path, leaf, n = h(key.encode()), proof.get("leaf"), len(proof["siblings"])
    bits = lambda raw: "{:0256b}".format(int.from_bytes(raw, "big"))[:n]
    same = leaf and leaf["path"] == path.hex()
    absent = not leaf or not same and bits(bytes.fromhex(leaf["path"])) == bits(path)
    node = h(b"JMT::LeafNode", *map(bytes.fromhex, (leaf["path"], leaf["value"]))) if leaf else b"SPARSE_MERKLE_PLACEHOLDER_HASH__"
    for sibling, bit in zip(map(bytes.fromhex, proof["siblings"]), reversed(bits(path) if n else "")):
        node = h(b"JMT::IntrnalNode", sibling, node) if bit == "1" else h(b"JMT::IntrnalNode", node, sibling)
    return bool(absent if value is None else same and leaf["value"] == h(value).hex()) and n <= 256 and node.hex() == root
def valid_set(validators):
    fit(validators, "validator[]")
    keys = [decode(k) for v in validators for k in (v["keys"][0]["key"], v["log_key"], v["peer_key"]) if len(v["keys"]) == 1]
    names, addresses = {v["name"] for v in validators}, [v["address"] for v in validators]
    distinct = len(set(keys)) == len(keys) == 3 * len(validators) and len(names) == len(validators)
    return 4 <= len(validators) <= 64 and distinct and sorted(set(addresses)) == addresses and all(map(point, keys))
def hashed(kind, value): return h(b"testamur/%s/v1\n" % kind.encode(), canonical(value))
def parse_note(note):
    ensure(len(note.encode()) <= 65536 and not any(c < " " and c != "\n" for c in note) and note.endswith("\n"), "not a note")
    cut, signatures = note.rindex("\n\n"), []
    for line in note[cut + 2:-1].split("\n"):
        dash, name, blob = line.split(" ")
        signatures.append((name, decode(blob, url=False)[:4], decode(blob, url=False)[4:]))
        ensure(dash == "\u2014" and re.fullmatch(r"[^+\s]+", name) and signatures[-1][2] and len(signatures) <= 256, "bad signature line")
    return note[:cut + 1], signatures
def decision(origin, header, note, validators):
    """Section 6: the names of those who cosigned this header; a quorum of them makes the note a decision."""
    body, signatures = parse_note(note)
    lines = re.fullmatch("(.+)\n(0|[1-9][0-9]*)\n(.*)\nheight (0|[1-9][0-9]*)\nround (0|[1-9][0-9]*)\nheader (.*)\n", body)
    ensure(lines and int(lines[5]) < 2**32, "not the six lines of a checkpoint")
    said = lines[1], int(lines[2]), decode(lines[3], url=False).hex(), int(lines[4]), decode(lines[6], url=False)
    ensure(said == (origin, header["log_size"], header["log_root"], header["height"], hashed("header", header)), "of another header")
    ensure(header["validators_hash"] == hashed("validators", validators).hex(), "the header names another set")
    message, witnesses = b"cosignature/v1\ntime %d\n%s" % (header["time"], body.encode()), set()
    for validator in validators:
        key, log_key = decode(validator["keys"][0]["key"]), decode(validator["log_key"])
        cosigner = validator["name"], h(validator["name"].encode(), b"\n\4", key)[:4]
        log = origin, h(origin.encode(), b"\n\1", log_key)[:4]
        for name, key_id, signature in signatures:
            if (name, key_id) == cosigner:
                ensure(signature[:8] == header["time"].to_bytes(8, "big"), "a cosignature of another time")
                check_ed25519(key, message, signature[8:])
                witnesses.add(name)
            elif (name, key_id) == log:
                check_ed25519(log_key, body.encode(), signature)
    return sorted(witnesses)
def quorum(validators): return 2 * len(validators) // 3 + 1
class Trust:
    """Genesis and, if there, a newer checkpoint. Who installs the file answers for it: proofs of possession are not checked."""
    def __init__(self, raw):
        file = strict(raw)
        genesis, pin = file["genesis"], file.get("checkpoint")
        ensure((file["v"], file["type"], genesis["v"], genesis["protocol"]) == (1, "testamur-trust", 1, 1), "unknown format")
        self.network = hashed("genesis", genesis).hex()
        self.origin = "%s/%s/%s" % (genesis["domain"], genesis["name"], self.network[:32])
        first = [fit(v["registration"], "registration") for v in genesis["validators"]]
        first = [{**{k: v for k, v in r.items() if k != "v"}, "address": hashed("validator", r).hex()} for r in first]
        self.first, self.pinned = (0, fit(sorted(first, key=lambda v: v["address"]), "set")), None
        if pin:
            header = exact(fit(pin, "link")["header"].encode(), "header")
            self.pinned = header, (header["epoch"], pin["validators"])
            ensure(header["genesis"] == self.network, "the pinned header is of another network")
            self.certify(header, pin["note"], [])
    def follow(self, epoch, link):
        of, following = exact(link["header"].encode(), "header"), hashed("validators", link["validators"]).hex()
        if of["epoch"] < epoch[0]:
            return epoch
        witnesses = decision(self.origin, of, link["note"], epoch[1])
        ensure(of["epoch"] == epoch[0] and len(witnesses) >= quorum(epoch[1]), "not a decision of this epoch")
        ensure(of["validators_hash"] != of["next_validators_hash"] == following, "not the next set")
        return epoch[0] + 1, link["validators"]
    def certify(self, header, note, links):
        """Follows the epochs to the header's; returns (epoch, set) and the witnesses."""
        epoch = self.pinned[1] if self.pinned and self.pinned[1][0] <= header["epoch"] else self.first
        for link in links:
            epoch = attempt("receipt.epoch", self.follow, epoch, link)
        need(header["epoch"] == epoch[0], "receipt.epoch")
        witnesses = attempt("receipt.certificate", decision, self.origin, header, note, epoch[1])
        need(len(witnesses) >= quorum(epoch[1]), "receipt.no-quorum")
        return epoch, witnesses
    def in_office(self, epoch, now):
        ends = sorted(v["not_after"] for v in epoch[1])
        return now <= ends[len(ends) - quorum(ends)] and not (self.pinned and self.pinned[1][0] > epoch[0])
def key_of(kid, author, root):
    """The JWK of a key id: a did:key's own, or that of the DID document proven under the state root."""
    if "state" not in author:
        return did_key(kid)
    did, _, fragment = kid.partition("#")
    document, text = author["state"], author["state"]["document"].encode()
    need(proven("did/%s/head" % did, text, document["proof"], root), "receipt.author-key")
    keys = {m["id"]: m["key"] for m in attempt("receipt.author-key", exact, text, "did-entry")["methods"]}
    return need(fragment in keys, "receipt.author-key") or keys[fragment]
def check_record(raw, network, at, author={}, root=None):
    """The payload and the author's JWK; `at` is the time of the block, `root` its state root."""
    ensure(len(raw) <= 65535, "record too large")
    header, payload, signature = (decode(part) for part in raw.decode("ascii").split("."))
    ensure(len(header) <= 24576, "header too large")
    jose, payload = fit(strict(header), "jose"), exact(payload, "payload")
    act, iat, exp = payload["act"], payload["iat"], payload["exp"]
    for holder, most in ((act, 512 if act["type"] == "notarise" else 64), (act.get("change", {}), 64)):
        size = 32 if holder.get("form") == "commitment" else int(holder.get("alg", "256")[-3:]) // 8
        ensure("entries" not in holder or 1 <= len(holder["entries"]) <= most and all(len(decode(e)) == size for e in holder["entries"]), "entries")
    ensure(jose["kid"].split("#")[0] == payload["iss"] and payload["net"] == network, "kid is not iss', or another network's")
    ensure(0 < exp - iat <= 86400 and iat + 86400 >= at < exp and iat <= at + 300, "too old or too early for its block")
    jwk = key_of(jose["kid"], author, root)
    check_jws(jwk, jose["alg"], raw[:raw.rindex(b".")], signature)
    return payload, jwk
def check_opening(opening, act, document):
    if opening is None:
        need(document is None or act["type"].startswith("notarise"), "receipt.not-a-notarisation")
        need(document is None or act.get("form") == "digest", "receipt.opening-missing")
        return need(document is None or encode(document(act["alg"])) in act["entries"], "receipt.document-differs")
    digest, salt, path, number = decode(opening["digest"]), opening.get("salt"), opening.get("path"), bytes([ALGS.index(opening["alg"]) + 1])
    entry = h(b"testamur/commit/v1\0", number, decode(salt), digest) if salt else digest
    leaf = h(b"\0testamur/leaf/v1\0", b"\1" if salt else b"\0", number, entry)
    if act["type"] == "notarise":
        same = (act["alg"], act["form"], path) == (opening["alg"], "commitment" if salt else "digest", None)
        shown = same and act["entries"][opening["index"]:][:1] == [encode(entry)]
    else:
        batch = act["type"] == "notarise-batch" and path is not None
        shown = batch and included(leaf, opening["index"], act["count"], path, act["root"])
    need(shown and len(digest) == int(opening["alg"][-3:]) // 8, "receipt.opening")
    need(document is None or document(opening["alg"]) == digest, "receipt.document-differs")
def check_receipt(raw, trust, now, document):
    """`document` maps an algorithm's name to a digest. Returns whether a quorum in office stands behind it, and the facts."""
    need(len(raw) <= 4 * 1024 * 1024, "receipt.too-large")
    receipt = attempt("receipt.malformed", exact, raw, "receipt", 16)
    algorithms = {"tree": "rfc6962-sha256", "header": "jcs-sha256", "certificate": "ed25519-cosignature-v1"}
    need((receipt["v"], receipt["type"], receipt["algorithms"]) == (1, "testamur-receipt", algorithms), "receipt.unknown-format")
    need(receipt.pop("digest", None) == encode(hashed("receipt", receipt)), "receipt.changed")
    need(len(receipt["epochs"]) <= 1040 and len(receipt["anchors"]) <= 100, "receipt.too-large")
    need(receipt["network"]["genesis"] == trust.network, "receipt.unknown-network")
    need(receipt["network"]["origin"] == trust.origin, "receipt.origin")
    header = attempt("receipt.header", exact, receipt["header"].encode(), "header")
    need(header["genesis"] == trust.network, "receipt.header")
    epoch, witnesses = trust.certify(header, receipt["note"], receipt["epochs"])
    need(receipt["validators"] == epoch[1], "receipt.validators")
    pinned, record = trust.pinned[0] if trust.pinned else header, receipt["record"].encode()
    need(pinned["height"] != header["height"] or pinned == header, "receipt.contradiction")
    need(included(h(b"\0", record), receipt["index"], header["log_size"], receipt["path"], header["log_root"]), "receipt.inclusion")
    payload, jwk = attempt("receipt.record", check_record, record, trust.network, header["time"], receipt["author"], header["state_root"])
    need(jwk == receipt["author"]["jwk"], "receipt.author-key")
    check_opening(receipt.get("opening"), payload["act"], document)
    confirmed = trust.in_office(epoch, now)
    for anchor in receipt["anchors"]:
        if isinstance(anchor, dict) and anchor.get("kind") == "checkpoint":
            attempt("receipt.malformed", fit, anchor, "anchor")
            later = attempt("receipt.header", exact, anchor["header"].encode(), "header")
            later_epoch, _ = trust.certify(later, anchor["note"], anchor["epochs"])
            leaf = h(b"\0", hashed("header", header))
            need(included(leaf, header["height"], later["height"], anchor["history"], later["history_root"]), "receipt.inclusion")
            confirmed = confirmed or trust.in_office(later_epoch, now)
    return confirmed, {"author": payload["iss"], "time": header["time"], "height": header["height"], "index": receipt["index"],
                       "witnesses": witnesses, "network": trust.origin}
def digest_of(alg, file):
    digest = hashlib.new(alg.replace("sha2-", "sha").replace("sha3-", "sha3_"))
    for chunk in iter(lambda: file.read(1 << 20), b""):
        digest.update(chunk)
    return digest.digest()
def verify(raw, trust, now, document=None):
    """(exit code, verdict or code, facts)."""
    try:
        confirmed, facts = check_receipt(raw, trust, now, document)
        return (0, "confirmed", facts) if confirmed else (5, "out-of-office", facts)
    except Refused as error:
        unknown = error.args[0] in ("receipt.unknown-network", "receipt.unknown-format", "receipt.opening-missing")
        return 4 if unknown else 3, error.args[0], str(error.__cause__ or "")
def main():
    parser = argparse.ArgumentParser(description="Verifies a Testamur receipt offline.")
    at = {"type": int, "default": int(time.time())}
    [parser.add_argument(name, **how) for name, how in (("files", {"nargs": "+"}), ("--trust", {"required": True}), ("--at", at))]
    options = parser.parse_args()
    try:
        raw, trust, *file = [open(path, "rb") for path in (options.files[-1], options.trust, *options.files[:-1])]
        document = functools.partial(digest_of, file=file[0]) if file else None
        code, verdict, facts = verify(raw.read(), Trust(trust.read()), options.at, document)
    except (OSError, Refused, *MALFORMED) as error:
        return print("cannot read: %s" % error, file=sys.stderr) or 1
    return print(json.dumps({"verdict": verdict, "facts": facts}, indent=2)) or code
if __name__ == "__main__":
    sys.exit(main())
