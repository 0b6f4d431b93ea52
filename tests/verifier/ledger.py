#!/usr/bin/env python3
"""Verifies an export of a whole ledger (FORMATS.md §14) offline: standard library and `cryptography`, made from that page alone.
    ledger.py EXPORT --trust FILE [--records]          --records also verifies every did:key author's signature
Recomputes the log, the history of headers and, in a snapshot, the state; verifies the certificates that the epochs need.
Exit codes: 0 verified, 1 cannot read, 2 usage, 3 not valid, 4 cannot tell."""
import argparse, hashlib, json, sys
import verify
from verify import MALFORMED, Refused, canonical, decision, ensure, exact, fit, h, hashed, quorum, strict
MAGIC, EMPTY = b"testamur-ledger/v1\n", b"SPARSE_MERKLE_PLACEHOLDER_HASH__"
MIB = 1024 * 1024
LENGTHS = {"G": 4 * MIB, "F": 8, "B": 2 * MIB, "N": 65536, "A": 262144, "S": MIB, "T": MIB + 65536, "Z": 32}
AFTER = {"G": "^", "F": "G", "B": "GFNA", "N": "B", "A": "NA", "S": "NAS", "T": "ST", "Z": "GFNAST"}
class CannotTell(Exception): """Nothing is wrong, and something that is needed is not there."""
class Frames:
    """The frames of a file, one after another: (kind, payload). `number` is the one that is read."""
    def __init__(self, file):
        self.file, self.number, self.offset, self.digest = file, 0, len(MAGIC), hashlib.sha256(MAGIC)
        ensure(file.read(len(MAGIC)) == MAGIC, "not a ledger stream of version 1")
    def take(self, count):
        data = self.file.read(count)
        ensure(len(data) == count, "the file is cut off")
        return data
    def __iter__(self):
        before = "^"
        while before != "Z":
            head = self.take(5)
            kind, length = chr(head[0]), int.from_bytes(head[1:], "big")
            ensure(kind in AFTER and before in AFTER[kind], "frame %r after %r" % (kind, before))
            ensure(length <= LENGTHS[kind], "frame %s of %d bytes" % (kind, length))
            payload = self.take(length)
            if kind == "Z":
                ensure(payload == self.digest.digest(), "the hash at the end does not match")
                ensure(not self.file.read(1), "bytes follow the end")
            self.digest.update(head + payload)
            yield kind, payload
            self.number, self.offset, before = self.number + 1, self.offset + 5 + length, kind
class Tree:
    """RFC 6962: the roots of the full subtrees on the right edge, largest first."""
    def __init__(self):
        self.size, self.edge = 0, []
    def append(self, data):
        node, n = h(b"\0", data), self.size
        while n & 1:
            node, n = h(b"\1", self.edge.pop(), node), n >> 1
        self.edge.append(node)
        self.size += 1
    def root(self):
        if not self.edge:
            return h().hex()
        node = self.edge[-1]
        for left in reversed(self.edge[:-1]):
            node = h(b"\1", left, node)
        return node.hex()
def state_root(leaves, bit=0):
    """Section 8; leaves are (path as a number, leaf hash), in order of path."""
    if len(leaves) < 2:
        return leaves[0][1] if leaves else EMPTY
    mask, low, high = 1 << 255 - bit, 0, len(leaves)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if leaves[middle][0] & mask else (middle + 1, high)
    return h(b"JMT::IntrnalNode", state_root(leaves[:low], bit + 1), state_root(leaves[low:], bit + 1))
class State:
    """The newest state: its root, and of its values those that say who the validators were."""
    def __init__(self):
        self.leaves, self.last, self.kept = [], b"", {}
    def add(self, payload):
        length = int.from_bytes(payload[:2], "big")
        key, value = payload[2:2 + length], payload[2 + length:]
        ensure(len(key) == length and self.last < key, "state keys are not ascending")
        self.last, path = key, h(key)
        self.leaves.append((int.from_bytes(path, "big"), h(b"JMT::LeafNode", path, h(value))))
        kind = key.split(b"/")[0]
        if kind in (b"epoch", b"validator"):
            self.kept[key.decode()] = strict(value)
    def root(self):
        return state_root(sorted(self.leaves)).hex()
    def validators(self, epoch):
        """The set of an epoch: of each of its addresses the registration that was the newest when it was scheduled."""
        entry, validators = self.kept["epoch/network/%d" % (epoch + 1)], []
        for address in entry["validators"]:
            number = 1
            while self.kept.get("validator/%s/%d" % (address, number + 1), {"height": 2**53})["height"] <= entry["height"]:
                number += 1
            registration = dict(self.kept["validator/%s/%d" % (address, number)]["registration"])
            registration.pop("v")
            validators.append({**registration, "address": address})
        return fit(validators, "set")
class Ledger:
    """The blocks so far. `closing` holds the headers and notes that the epochs need: the last of each, and the last of all."""
    def __init__(self, trust, records):
        self.trust, self.check_records, self.log, self.history = trust, records, Tree(), Tree()
        self.header, self.hash, self.first, self.closing, self.signatures = None, None, 1, [], 0
    def begin(self, genesis):
        """Height 0: all that its header holds follows from genesis, but the state root, which height 1's links to."""
        ensure(genesis == canonical(strict(genesis)), "genesis is not canonical JSON")
        if h(b"testamur/genesis/v1\n", genesis).hex() != self.trust.network:
            raise Refused("the file is of another network than the trust file")
        self.genesis = strict(genesis)
        ensure(self.genesis["protocol"] == 1, "unknown protocol")
    def block(self, payload):
        length = int.from_bytes(payload[:4], "big")
        text, rest = payload[4:4 + length], payload[4 + length:]
        header = exact(text, "header")
        before = self.header or self.zero(header)
        height, parent = before["height"] + 1, self.hash or hashed("header", before)
        if self.header is None:
            self.history.append(parent)
        ends = before["next_validators_hash"] != before["validators_hash"]
        begins = ends or before["height"] == 0
        expected = {
            "genesis": self.trust.network, "height": height, "previous": parent.hex(), "history_root": self.history.root(),
            "epoch": before["epoch"] + ends, "validators_hash": before["next_validators_hash"],
            "epoch_header": {"height": height - 1, "hash": parent.hex()} if begins else before["epoch_header"],
        }
        for name, value in expected.items():
            ensure(header[name] == value, "height %d: the header's %s is not what the blocks before it make" % (height, name))
        ensure(header["time"] >= before["time"], "height %d: earlier than its parent" % height)
        while rest:
            length = int.from_bytes(rest[:2], "big")
            record, rest = rest[2:2 + length], rest[2 + length:]
            ensure(len(record) == length and length, "height %d: a record is cut" % height)
            self.log.append(record)
            if self.check_records:
                self.record(record, header)
        ensure((self.log.size, self.log.root()) == (header["log_size"], header["log_root"]), "height %d: the records make another log" % height)
        pinned = self.trust.pinned and self.trust.pinned[0]
        if pinned and pinned["height"] == height:
            ensure(pinned == header, "height %d is not the one that the trust file pins" % height)
        self.header, self.hash = header, hashed("header", header)
        self.history.append(self.hash)
    def zero(self, first):
        """Height 0's header, from genesis and what height 1 says of the one thing that is not in it: the state root."""
        validators = hashed("validators", self.trust.first[1]).hex()
        zero, none = {"height": 0, "hash": "00" * 32}, "00" * 32
        header = {
            "v": 1, "genesis": self.trust.network, "protocol": self.genesis["protocol"], "height": 0, "time": self.genesis["time"],
            "previous": none, "history_root": Tree().root(), "log_size": 0, "log_root": Tree().root(), "epoch": 0,
            "validators_hash": validators, "next_validators_hash": validators, "epoch_header": zero, "proposer": none,
            "parameters_hash": hashed("parameters", self.genesis["parameters"]).hex(), "state_root": genesis_root(self.genesis, self.trust.first[1]),
        }
        return header
    def record(self, record, header):
        kid = strict(verify.decode(record.split(b".")[0].decode()))["kid"]
        if kid.startswith("did:key:"):
            verify.check_record(record, self.trust.network, header["time"])
            self.signatures += 1
    def note(self, payload):
        header, note = self.header, payload.decode()
        if self.closing and self.closing[-1][0]["next_validators_hash"] == self.closing[-1][0]["validators_hash"]:
            self.closing.pop()
        self.closing.append((header, note))
    def certify(self, state):
        """Certificates along the epochs: each set is named by a header that the set before has certified."""
        epoch, validators = self.trust.first
        for header, note in self.closing:
            where = "height %d: " % header["height"]
            if header["epoch"] > epoch:
                if state is None:
                    raise CannotTell("from height %d on the validators are others; their keys are in the state, which this file does not hold"
                                     % (self.closing[epoch][0]["height"] + 1))
                epoch, validators = header["epoch"], state.validators(header["epoch"])
            try:
                witnesses = decision(self.trust.origin, header, note, validators)
            except MALFORMED as error:
                raise Refused(where + "its certificate: %s" % error) from error
            ensure(len(witnesses) >= quorum(validators), where + "no quorum has signed it")
def genesis_root(genesis, validators):
    """The state of height 0 (§8): its root."""
    state, at = {}, {"v": 1, "height": 0, "time": genesis["time"]}
    counts = {}
    def put(kind, name, value):
        number = counts[kind, name] = counts.get((kind, name), 0) + 1
        for place in (str(number), "head"):
            state["%s/%s/%s" % (kind, name, place)] = canonical({**value, "seq": number})
    put("protocol", "network", {**at, "protocol": genesis["protocol"]})
    put("parameters", "network", {**at, "parameters": genesis["parameters"]})
    if "did_method" in genesis:
        put("naming", "network", {**at, "did_method": genesis["did_method"]})
    for validator in genesis["validators"]:
        registration = validator["registration"]
        address = hashed("validator", registration).hex()
        put("validator", address, {**at, "registration": registration})
        put("validator-name", registration["name"], {"v": 1, "address": address})
        keys = ("consensus", registration["keys"][0]["key"]), ("log", registration["log_key"]), ("peer", registration["peer_key"])
        for use, key in keys:
            put("validator-key", verify.decode(key).hex(), {"v": 1, "address": address, "use": use})
    put("epoch", "network", {**at, "epoch": 0, "validators_hash": hashed("validators", validators).hex(),
                             "validators": [v["address"] for v in validators]})
    put("governance", "network", {**at, "approvals_required": genesis["approvals_required"]})
    put("operators", "network", {**at, "operators": sorted(genesis["operators"], key=lambda o: o["did"])})
    for did in genesis["writers"]:
        put("writers", "network", {"v": 1, "did": did})
        put("writer", did, {**at, "status": {"type": "granted"}})
    leaves = [(int.from_bytes(h(k.encode()), "big"), h(b"JMT::LeafNode", h(k.encode()), h(v))) for k, v in state.items()]
    return state_root(sorted(leaves)).hex()
def check(file, trust, records=False):
    """What a whole export is; raises Refused or CannotTell."""
    frames = attempt(None, Frames, file)
    ledger, state = Ledger(trust, records), None
    reader = iter(frames)
    while True:
        item = attempt(frames, next, reader, None)
        if item is None:
            break
        kind, payload = item
        if kind == "F" and payload != (1).to_bytes(8, "big"):
            raise CannotTell("the file begins after height 1: a part of a ledger")
        if kind == "S" and state is None:
            state = State()
        step = {"G": ledger.begin, "B": ledger.block, "N": ledger.note, "S": state and state.add}.get(kind)
        if step:
            attempt(frames, step, payload)
    pinned = trust.pinned and trust.pinned[0]
    if pinned and pinned["height"] > (ledger.header or {"height": 0})["height"]:
        raise CannotTell("the file ends before height %d, which the trust file pins" % pinned["height"])
    if state:
        attempt(frames, ensure, state.root() == ledger.header["state_root"], "the state does not make the last header's state root")
    attempt(frames, ledger.certify, state)
    tip = ledger.header or {"height": 0, "epoch": 0}
    facts = {"network": trust.origin, "height": tip["height"], "records": ledger.log.size, "epoch": tip["epoch"],
             "state": len(state.leaves) if state else "not in this file"}
    return {**facts, "signatures": ledger.signatures} if records else facts
def attempt(frames, function, *arguments):
    """A malformed frame is refused by its number."""
    try:
        return function(*arguments)
    except MALFORMED as error:
        where = "frame %d, at byte %d: " % (frames.number, frames.offset) if frames else ""
        raise Refused(where + str(error)) from error
def judge(file, trust, records=False):
    """(exit code, verdict, facts or what is wrong)."""
    try:
        return 0, "verified", check(file, trust, records)
    except Refused as error:
        return 3, "not valid", str(error)
    except CannotTell as error:
        return 4, "cannot tell", str(error)
def main():
    parser = argparse.ArgumentParser(description="Verifies an export of a whole Testamur ledger offline.")
    parser.add_argument("export")
    parser.add_argument("--trust", required=True)
    parser.add_argument("--records", action="store_true")
    options = parser.parse_args()
    try:
        with open(options.trust, "rb") as trust, open(options.export, "rb") as export:
            code, verdict, facts = judge(export, verify.Trust(trust.read()), options.records)
    except (OSError, Refused, *MALFORMED) as error:
        return print("cannot read: %s" % error, file=sys.stderr) or 1
    return print(json.dumps({"verdict": verdict, "facts": facts}, indent=2)) or code
if __name__ == "__main__":
    sys.exit(main())
