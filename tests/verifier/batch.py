#!/usr/bin/env python3
"""Many receipts, fast: one JSON object a line on stdin, one a line on stdout.

In:  receipt (base64), trust (path), at (time), optional document (base64).
Out: exit (code of verify.py), code (verdict or slug), facts.
"""
import base64, functools, io, json, sys
import verify

@functools.lru_cache(maxsize=64)
def load_trust(path):
    with open(path, "rb") as file:
        return verify.Trust(file.read())

def judge(receipt, trust, at, document=None):
    digest = None
    if document is not None:
        digest = lambda alg: verify.digest_of(alg, io.BytesIO(document))
    return verify.verify(receipt, load_trust(trust), at, digest)

def main():
    for line in sys.stdin:
        case = json.loads(line)
        document = base64.b64decode(case["document"]) if case.get("document") is not None else None
        code, slug, facts = judge(base64.b64decode(case["receipt"]), case["trust"], case["at"], document)
        print(json.dumps({"exit": code, "code": slug, "facts": facts}), flush=True)

if __name__ == "__main__":
    main()
