#!/usr/bin/env python3
"""Receipt containers (FORMATS.md §13), read whole; made from that page alone.

    containers.py CONTAINER INDEX        prints the receipt of one document, which verify.py then verifies
"""
import hashlib, hmac, struct, sys
import verify
from verify import canonical, encode, h, need

MAGIC, CHUNK = b"\x89testamur-rcs\r\n\x1a", 1024
ALGORITHMS = {1: ("sha2-256", 32), 2: ("sha2-384", 48), 3: ("sha2-512", 64), 4: ("sha3-256", 32), 5: ("sha3-384", 48), 6: ("sha3-512", 64)}
SETTINGS, CHUNKS, INDEX, RECORD, LEDGER, END = range(1, 7)

class CannotTell(Exception): """A version that is not known here."""

def take(data, at, count):
    need(at + count <= len(data), "too short")
    return data[at:at + count], at + count

def split(count):
    return 1 << (count - 1).bit_length() - 1

def root(leaves):
    if len(leaves) == 1: return leaves[0]
    k = split(len(leaves))
    return h(b"\1", root(leaves[:k]), root(leaves[k:]))

def path(leaves, index):
    if len(leaves) == 1: return []
    k = split(len(leaves))
    if index < k: return path(leaves[:k], index) + [root(leaves[k:])]
    return path(leaves[k:], index - k) + [root(leaves[:k])]

class Chunk:
    def __init__(self, body):
        fixed, at = take(body, 0, 43)
        self.first, count, self.salts, self.root = struct.unpack(">QHB32s", fixed)
        need(self.first % CHUNK == 0 and 1 <= count <= CHUNK and self.salts <= 2, "chunk")
        secret, at = take(body, at, 32 if self.salts == 1 else 0)
        algs, at = take(body, at, count)
        self.entries, self.leaves = [], []
        for alg in algs:
            need(alg in ALGORITHMS or (alg == 0 and self.salts == 2), "alg")
            digest, at = take(body, at, ALGORITHMS[alg][1] if alg else 32)
            self.entries.append([alg, digest])
        listed, at = take(body, at, 32 * count if self.salts == 2 else 0)
        lengths, at = take(body, at, 2 * count)
        for i, entry in enumerate(self.entries):
            length = struct.unpack(">H", lengths[2 * i:2 * i + 2])[0]
            need(length <= 4096, "name")
            name, at = take(body, at, length)
            salt = None
            if self.salts == 1:
                salt = hmac.new(secret, b"testamur/salt/v1\0" + struct.pack(">Q", self.first + i), hashlib.sha256).digest()
            if self.salts == 2: salt = listed[32 * i:32 * i + 32]
            entry += [salt, name]
            self.leaves.append(self.leaf(*entry[:3]))
        need(at == len(body), "more than a chunk")
        need(root(self.leaves) == self.root, "chunk root")

    @staticmethod
    def leaf(alg, digest, salt):
        if alg == 0: return digest
        shown = digest if salt is None else h(b"testamur/commit/v1\0", bytes([alg]), salt, digest)
        return h(b"\0testamur/leaf/v1\0", bytes([salt is not None, alg]), shown)

class Container:
    def __init__(self, raw):
        need(raw[:16] == MAGIC, "no container")
        version, self.id = struct.unpack(">H16s", take(raw, 16, 18)[0])
        need(version == 1, "version %d" % version, CannotTell)
        self.raw = raw
        kinds, offsets, at = [], [], 34
        bodies = {}
        while at < len(raw):
            offset = at
            kind, body, at = self.section(at)
            kinds.append(kind); offsets.append(offset); bodies[offset] = (kind, body)
        text = "".join(map(str, kinds))
        rest = text.lstrip("1").lstrip("2")
        records = len(rest[1:]) - len(rest[1:].lstrip("4"))
        need(text[:2] == "12" and rest[:1] == "3" and records >= 1, "order of sections")
        ends = rest[1 + records:]
        need(ends and ends == "56" * (len(ends) // 2) and text.count("1") == 1, "order of sections")
        self.settings = verify.strict(bodies[offsets[0]][1])
        need(canonical(self.settings) == bodies[offsets[0]][1] and self.settings["v"] == 1, "settings")
        index_at, ledger_at = struct.unpack(">QQ", bodies[offsets[-1]][1])
        need(bodies[index_at][0] == INDEX and bodies[ledger_at][0] == LEDGER, "end")
        index = bodies[index_at][1]
        self.count, chunks, self.root = struct.unpack(">QI32s", take(index, 0, 44)[0])
        need(len(index) == 44 + 40 * chunks and chunks == -(-self.count // CHUNK), "index")
        self.chunks = []
        for i in range(chunks):
            offset, chunk_root = struct.unpack(">Q32s", index[44 + 40 * i:84 + 40 * i])
            need(bodies[offset][0] == CHUNKS, "index")
            chunk = Chunk(bodies[offset][1])
            need(chunk.first == CHUNK * i and chunk.root == chunk_root and len(chunk.entries) == min(CHUNK, self.count - CHUNK * i), "chunk")
            self.chunks.append(chunk)
        need(root([c.root for c in self.chunks]) == self.root, "root")
        self.ledger = verify.strict(bodies[ledger_at][1], 16)
        need("opening" not in self.ledger and canonical(self.ledger) == bodies[ledger_at][1], "ledger")

    def section(self, at):
        kind, length = struct.unpack(">BI", take(self.raw, at, 5)[0])
        need(SETTINGS <= kind <= END, "kind")
        body, end = take(self.raw, at + 5, length)
        check, after = take(self.raw, end, 32)
        need(check == h(b"testamur/container/v1\0", self.id, struct.pack(">Q", at), self.raw[at:end]), "check")
        return kind, body, after

    def receipt(self, index):
        """The receipt's bytes; none for an erased document."""
        chunk = self.chunks[index // CHUNK]
        alg, digest, salt, _ = chunk.entries[index % CHUNK]
        if alg == 0: return None
        steps = path(chunk.leaves, index % CHUNK) + path([c.root for c in self.chunks], index // CHUNK)
        opening = {"index": index, "alg": ALGORITHMS[alg][0], "digest": encode(digest), "path": [s.hex() for s in steps]}
        if salt is not None: opening["salt"] = encode(salt)
        receipt = {k: v for k, v in self.ledger.items() if k != "digest"}
        receipt["opening"] = opening
        receipt["digest"] = encode(h(b"testamur/receipt/v1\n", canonical(receipt)))
        return canonical(receipt)

def main():
    with open(sys.argv[1], "rb") as file:
        container = Container(file.read())
    sys.stdout.buffer.write(container.receipt(int(sys.argv[2])))

if __name__ == "__main__":
    main()
