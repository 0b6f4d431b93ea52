#!/usr/bin/env python3
"""Runs the Python verifier over tests/vectors and the shared vectors; Rust runs the same in tests/tests/vectors.rs.

    check_vectors.py [SHARED]        SHARED holds merkle/ and wycheproof/; what is not there is printed as skipped
"""
import base64, hashlib, io, json, os, random, struct, sys, time
import containers as container_file
import ledger, registries, verify
from batch import judge

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "vectors")
counts, failures = {}, []

def load(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return json.load(file)

def check(family, what, found, expected):
    counts[family] = counts.get(family, 0) + 1
    if found != expected:
        failures.append("%s: %s: found %r, expected %r" % (family, what, found, expected))

def passes(function, *arguments):
    try:
        function(*arguments)
        return True
    except verify.MALFORMED:
        return False

def receipts():
    for case in load(HERE, "receipts.json"):
        with open(os.path.join(HERE, case["receipt"]), "rb") as file:
            raw = file.read()
        document = base64.b64decode(case["document"]) if "document" in case else None
        trust = os.path.join(HERE, case["trust"])
        code, slug, _ = judge(raw, trust, case["at"], document)
        check("receipts", case["name"], (code, slug), (case["exit"], case["code"]))

def sample():
    folder = os.path.join(HERE, "sample")
    trust, receipt, document = (os.path.join(folder, name) for name in ("trust.json", "contract.pdf.receipt.json", "contract.pdf"))
    with open(receipt, "rb") as file, open(document, "rb") as other:
        raw, content = file.read(), other.read()
    at = load(trust)["genesis"]["time"] + 3600
    check("sample", "as it is", judge(raw, trust, at, content)[1], "confirmed")
    check("sample", "another document", judge(raw, trust, at, content + b" ")[1], "receipt.document-differs")

def mutants(count=1000):
    """One byte of a receipt that verifies is changed: never confirmed, never out of office."""
    choose = random.Random(1)
    good = [c for c in load(HERE, "receipts.json") if c["code"] == "confirmed"]
    for _ in range(count):
        case = choose.choice(good)
        with open(os.path.join(HERE, case["receipt"]), "rb") as file:
            raw = bytearray(file.read())
        raw[choose.randrange(len(raw))] ^= choose.randrange(1, 256)
        code, slug, _ = judge(bytes(raw), os.path.join(HERE, case["trust"]), case["at"])
        check("mutants", case["name"], code in (3, 4) and slug != "receipt.opening-missing", True)

def containers():
    folder = os.path.join(HERE, "containers")
    with open(os.path.join(folder, "listed.receipts"), "rb") as file:
        raw = file.read()
    cases, trust = load(folder, "listed.json"), os.path.join(folder, "trust.json")
    container = container_file.Container(raw)
    check("containers", "count", container.count, cases["count"])
    for case in cases["documents"]:
        chunk = container.chunks[case["index"] // 1024]
        alg, digest, _, name = chunk.entries[case["index"] % 1024]
        stored = (container_file.ALGORITHMS[alg][0], digest.hex(), name.decode())
        check("containers", case["index"], stored, (case["alg"], case["digest"], case["name"]))
        receipt = container.receipt(case["index"])
        check("containers", case["index"], hashlib.sha256(receipt).hexdigest(), case["receipt_sha256"])
        check("containers", case["index"], judge(receipt, trust, cases["at"])[1], "confirmed")
    choose = random.Random(2)
    for _ in range(100):
        damaged = bytearray(raw)
        damaged[choose.randrange(len(raw))] ^= 1 << choose.randrange(8)
        refused = verify.MALFORMED + (container_file.CannotTell, verify.Refused, struct.error)
        try:
            container_file.Container(bytes(damaged))
            check("containers", "a flipped bit", "read", "refused")
        except refused:
            check("containers", "a flipped bit", "refused", "refused")

def ledgers():
    folder = os.path.join(HERE, "ledger")
    facts, files = load(folder, "facts.json"), {}
    with open(os.path.join(folder, "trust.json"), "rb") as file, open(os.path.join(HERE, "trust-other.json"), "rb") as other:
        trust, stranger = verify.Trust(file.read()), verify.Trust(other.read())
    for name in ("snapshot", "log"):
        with open(os.path.join(folder, name + ".ledger"), "rb") as file:
            files[name] = file.read()
    judge_ledger = lambda raw, trust=trust, records=False: ledger.judge(io.BytesIO(raw), trust, records)
    raw = files["snapshot"]
    code, verdict, found = judge_ledger(raw, records=True)
    check("ledgers", "snapshot", (code, verdict), (0, "verified"))
    check("ledgers", "facts", [found[name] for name in ("height", "records", "epoch")], [facts[name] for name in ("height", "records", "epoch")])
    # Without the state nobody but who executes the blocks knows the later validators.
    check("ledgers", "log", judge_ledger(files["log"])[:2], (4, "cannot tell"))
    check("ledgers", "another network", judge_ledger(raw, stranger)[:2], (3, "not valid"))
    choose = random.Random(3)
    for _ in range(60):
        damaged = bytearray(raw)
        damaged[choose.randrange(len(raw))] ^= 1 << choose.randrange(8)
        check("ledgers", "a flipped bit", judge_ledger(bytes(damaged))[:2], (3, "not valid"))
    for _ in range(30):
        check("ledgers", "cut", judge_ledger(raw[:choose.randrange(len(raw))])[:2], (3, "not valid"))
    check("ledgers", "longer", judge_ledger(raw + b"x")[:2], (3, "not valid"))
    check("ledgers", "empty", judge_ledger(b"")[:2], (3, "not valid"))
    forged_ledgers(raw, judge_ledger)

def forged_ledgers(raw, judge_ledger):
    """Frames left out, exchanged or changed, under a hash that fits: refused all the same."""
    frames, at = [], len(ledger.MAGIC)
    while at < len(raw):
        length = int.from_bytes(raw[at + 1:at + 5], "big")
        frames.append((raw[at:at + 1], raw[at + 5:at + 5 + length]))
        at += 5 + length
    def again(changed):
        body = ledger.MAGIC + b"".join(kind + struct.pack(">I", len(payload)) + payload for kind, payload in changed[:-1])
        return body + b"Z" + struct.pack(">I", 32) + verify.h(body)
    check("ledgers", "the same again", again(frames), raw)
    places = {kind: [i for i, frame in enumerate(frames) if frame[0] == kind] for kind in (b"B", b"N", b"S")}
    def swapped(one, other):
        changed = list(frames)
        changed[one], changed[other] = changed[other], changed[one]
        return changed
    # A note that no epoch needs is not looked at: the last one, and those of the epochs' last headers, are.
    cases = {"a block left out": [f for i, f in enumerate(frames) if i not in (places[b"B"][5], places[b"N"][5])],
             "the last certificate is another's": swapped(places[b"N"][-1], places[b"N"][0]),
             "values exchanged": swapped(places[b"S"][3], places[b"S"][4]),
             "a value left out": [f for i, f in enumerate(frames) if i != places[b"S"][3]]}
    changed = list(frames)
    changed[places[b"S"][3]] = (b"S", frames[places[b"S"][3]][1][:-1] + b" ")
    cases["a value changed"] = changed
    for what, changed in cases.items():
        check("ledgers", what, judge_ledger(again(changed))[:2], (3, "not valid"))

def records():
    file = load(HERE, "records.json")
    for case in file["good"]:
        payload, jwk = verify.check_record(case["record"].encode(), file["network"], file["time"])
        check("records", case["what"], jwk, case["jwk"])
        raw = case["record"].encode()
        check("records", case["what"], verify.h(raw[:raw.rindex(b".")]).hex(), case["id"])
        check("records", case["what"], verify.h(b"\0", raw).hex(), case["leaf_hash"])
    for case in file["bad"]:
        admitted = passes(verify.check_record, base64.b64decode(case["bytes"]), file["network"], file["time"])
        check("records", case["what"], admitted, False)

def evidence():
    for case in load(HERE, "evidence.json"):
        with open(os.path.join(HERE, case["evidence"]), "rb") as file, open(os.path.join(HERE, case["trust"]), "rb") as trust:
            raw, trust = file.read(), verify.Trust(trust.read())
        code, slug, _ = registries.judge(raw, trust, case["at"], case.get("question"), case.get("subject"))
        check("evidence", case["name"], (code, slug), (case["exit"], case["code"]))
        if slug in ("holds", "registered", "absent"):
            evidence_mutants(case, raw, trust)

def evidence_mutants(case, raw, trust, count=40):
    """One byte of an evidence that holds is changed: it is refused, or gives the same answer (a line that is ignored)."""
    choose, good = random.Random(case["name"]), registries.judge(raw, trust, case["at"], case.get("question"), case.get("subject"))
    for _ in range(count):
        changed = bytearray(raw)
        changed[choose.randrange(len(raw))] ^= choose.randrange(1, 256)
        found = registries.judge(bytes(changed), trust, case["at"], case.get("question"), case.get("subject"))
        check("evidence mutants", case["name"], found[0] in (3, 4) or found == good, True)

def story():
    for step in load(HERE, "registries.json"):
        raw = step["record"].encode()
        check("registries", step["what"], verify.h(raw[:raw.rindex(b".")]).hex(), step["id"])
        payload = verify.exact(verify.decode(step["record"].split(".")[1]), "payload")
        check("registries", step["what"], payload["iat"] <= step["time"] < payload["exp"], True)

def members():
    """Records by which a network changes its members, what they leave, and the sets on the way."""
    file = load(HERE, "members.json")
    for step in file["steps"]:
        raw = step["record"].encode()
        check("members", step["what"], verify.h(raw[:raw.rindex(b".")]).hex(), step["id"])
        payload = verify.exact(verify.decode(step["record"].split(".")[1]), "payload")
        check("members", step["what"], payload["net"], file["network"])
    for under in file["epochs"]:
        header = verify.exact(under["header"].encode(), "header")
        found = (header["epoch"], verify.hashed("validators", verify.fit(under["validators"], "set")).hex())
        check("members", "epoch", found, (under["epoch"], header["validators_hash"]))
    parameters = json.loads(file["state"]["parameters/network/head"])
    last = verify.exact(load(HERE, "trust-members-pinned.json")["checkpoint"]["header"].encode(), "header")
    check("members", "parameters", verify.hashed("parameters", parameters["parameters"]).hex(), last["parameters_hash"])
    check("members", "parameters", parameters["from"] <= last["height"], True)
    for case in file["bad"]:
        record = base64.b64decode(case["bytes"]).decode()
        read = passes(lambda text: verify.exact(verify.decode(text.split(".")[1]), "payload"), record)
        check("members", case["what"], read, False)

def status_tokens():
    file = load(HERE, "status-tokens.json")
    bits = bytearray(file["status"]["size"] // 8)
    for index in file["set"]:
        bits[index // 8] |= 0x80 >> index % 8
    check("status tokens", "digest", verify.h(bytes(bits)).hex(), file["status"]["sha256"])
    made = registries.tokens(file["public_base"], file["issuer"], file["status"], bytes(bits), file["jwk"])
    for token, (digest, length) in zip(made, file["tokens"]):
        check("status tokens", "token", (verify.h(token.encode()).hex(), len(token)), (digest, length))

def formats():
    genesis = load(HERE, "genesis.json")
    check("formats", "genesis", verify.canonical(genesis["genesis"]).decode(), genesis["canonical"])
    check("formats", "genesis hash", verify.hashed("genesis", genesis["genesis"]).hex(), genesis["hash"])
    for validator in genesis["validators"]:
        check("formats", "address", verify.hashed("validator", validator["registration"]).hex(), validator["address"])
    for header in load(HERE, "headers.json"):
        value = verify.exact(header["text"].encode(), "header")
        check("formats", "header hash", verify.hashed("header", value).hex(), header["hash"])
    with open(os.path.join(HERE, "certificate.note"), encoding="utf-8") as note:
        trust = verify.Trust(json.dumps({"v": 1, "type": "testamur-trust", "genesis": genesis["genesis"]}).encode())
        _, witnesses = trust.certify(value, note.read(), [])
        check("formats", "certificate", len(witnesses), 4)
    members = load(HERE, "validator-set.json")
    check("formats", "validator set", verify.hashed("validators", verify.fit(members["set"], "set")).hex(), members["hash"])
    check("formats", "in office", trust.in_office((0, members["set"]), members["until"]), True)
    check("formats", "in office", trust.in_office((0, members["set"]), members["until"] + 1), False)
    for n, quorum in load(HERE, "quorums.json"):
        check("formats", "quorum of %d" % n, verify.quorum([None] * n), quorum)
    file = load(HERE, "did-key.json")
    for case in file["good"]:
        check("did:key", case["kid"], verify.did_key(case["kid"]), case["jwk"])
    for case in file["bad"]:
        known = passes(lambda kid: verify.fit(kid, "did-url") and verify.did_key(kid), case["kid"])
        check("did:key", case["what"], known, False)
    file = load(HERE, "commitments.json")
    for index, case in enumerate(file["leaves"]):
        opening = {"index": index, "alg": case["alg"], "digest": case["digest"], "path": file["paths"][index]}
        opening.update({"salt": case["salt"]} if case["salt"] else {})
        act = {"type": "notarise-batch", "root": file["root"], "count": file["count"]}
        verify.check_opening(opening, act, None)
        check("commitments", index, verify.included(bytes.fromhex(case["leaf_hash"]), index, file["count"], file["paths"][index],
                                                    file["root"]), True)

def ed25519_edges():
    for case in load(HERE, "ed25519.json"):
        found = passes(verify.check_ed25519, *(bytes.fromhex(case[name]) for name in ("key", "message", "signature")))
        check("ed25519 edges", case["what"], found, case["valid"])

def merkle(shared):
    for folder, _, names in os.walk(os.path.join(shared, "merkle", "testdata", "inclusion")):
        for name in names:
            case = load(folder, name)
            path = [base64.b64decode(p).hex() for p in case["proof"] or []]
            leaf, root = (base64.b64decode(case[k] or "") for k in ("leafHash", "root"))
            sized = all(len(p) == 64 for p in path) and len(leaf) == 32
            found = sized and verify.included(leaf, case["leafIdx"], case["treeSize"], path, root.hex())
            check("merkle inclusion", case["desc"], found, not case["wantErr"])

def wycheproof(shared):
    folder = os.path.join(shared, "wycheproof", "testvectors_v1")
    for group in load(folder, "ed25519_test.json")["testGroups"]:
        for case in group["tests"]:
            key, message, signature = (bytes.fromhex(t) for t in (group["publicKey"]["pk"], case["msg"], case["sig"]))
            found = passes(verify.check_ed25519, key, message, signature)
            check("wycheproof ed25519", case["tcId"], found, case["result"] == "valid")
    for name, curve in (("ecdsa_secp256r1_sha256_p1363_test.json", "P-256"), ("ecdsa_secp256k1_sha256_p1363_test.json", "secp256k1")):
        for group in load(folder, name)["testGroups"]:
            jwk = verify.to_jwk(curve, bytes.fromhex(group["publicKey"]["uncompressed"]))
            for case in group["tests"]:
                found = passes(verify.check_jws, jwk, verify.CURVES[curve][3], bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"]))
                check("wycheproof " + curve, case["tcId"], found, case["result"] == "valid")

def votes_message(origin, proof, said):
    """What a validator signs to say this there; None for what nobody can say."""
    value, step = said.get("value"), proof["step"]
    root = value and base64.b64encode(bytes.fromhex(value["log_root"])).decode()
    spelled = "nil"
    if value:
        raw = value["log_size"].to_bytes(8, "big") + bytes.fromhex(value["log_root"]) + value["time"].to_bytes(8, "big") + bytes.fromhex(value["header"])
        spelled = base64.b64encode(raw).decode()
    place = "%s\nvalidator %s\nheight %d\nround %d\n" % (origin, proof["validator"], proof["height"], proof["round"])
    if step == "proposal":
        return value and "testamur/proposal/v1\n%svalue %s\npol-round %s\n" % (place, spelled, said.get("pol_round", "none"))
    if step == "prevote":
        return "testamur/prevote/v1\n%svalue %s\n" % (place, spelled)
    if not value:
        return "testamur/precommit-nil/v1\n" + place
    header = base64.b64encode(bytes.fromhex(value["header"])).decode()
    body = "%s\n%d\n%s\nheight %d\nround %d\nheader %s\n" % (origin, value["log_size"], root, proof["height"], proof["round"], header)
    return "cosignature/v1\ntime %d\n%s" % (value["time"], body)

def equivocation(origin, validators, proof):
    """Why a proof that a validator signed twice proves nothing; None if it does prove it."""
    named = [v for v in validators if v["address"] == proof["validator"] and v["keys"][0]["key"] == proof["key"]]
    said = [proof["first"], proof["second"]]
    if not named:
        return "key"
    if proof["v"] != 1:
        return "form"
    if proof["network"] != origin:
        return "network"
    first, second = [(one.get("value"), one.get("pol_round")) for one in said]
    if first == second:
        return "same"
    if proof["step"] != "proposal" and any("pol_round" in one for one in said):
        return "form"
    for one in said:
        message, signature = votes_message(origin, proof, one), verify.decode(one["signature"])
        if message is None or len(signature) != 64:
            return "form"
        if not passes(verify.check_ed25519, verify.decode(proof["key"]), message.encode(), signature):
            return "signature"
    return None

def equivocations():
    file = load(HERE, "equivocations.json")
    for case in file["cases"]:
        check("equivocations", case["what"], equivocation(file["origin"], file["set"], case["equivocation"]), case["refused"])

def cctv(path):
    """C2SP CCTV's Ed25519 vectors; not committed here. Strict: only low-order components that cancel out are accepted."""
    for case in load(path):
        found = passes(verify.check_ed25519, bytes.fromhex(case["key"]), case["msg"].encode(), bytes.fromhex(case["sig"]))
        refused = {"low_order_A", "low_order_R", "non_canonical_A", "non_canonical_R", "low_order_residue", "reencoded_k"}
        check("cctv ed25519", case["number"], found, not refused & set(case["flags"] or []))

def main():
    shared = sys.argv[1] if len(sys.argv) > 1 else ""
    steps = [receipts, sample, mutants, containers, ledgers, records, evidence, story, members, status_tokens, formats, equivocations, ed25519_edges]
    for step in steps:
        started = time.time()
        step()
        print("%-24s %6.2f s" % (step.__name__, time.time() - started))
    for name, step in (("merkle", merkle), ("wycheproof", wycheproof)):
        if os.path.isdir(os.path.join(shared, name)):
            step(shared)
        else:
            print("skipped: %s (no such folder in %r)" % (name, shared))
    if os.environ.get("CCTV_ED25519"):
        cctv(os.environ["CCTV_ED25519"])
    for family, count in counts.items():
        print("%-24s %6d checks" % (family, count))
    for failure in failures[:50]:
        print("FAILED", failure)
    print("%d passed, %d failed" % (sum(counts.values()) - len(failures), len(failures)))
    return 1 if failures else 0

if __name__ == "__main__":
    sys.exit(main())
