"""Notarises a file: GATEWAY=https://… TOKEN=… python3 notarise.py FILE writes FILE.receipt.json."""
import hashlib, os, sys, time, urllib.error, urllib.request

path = sys.argv[1]
with open(path, "rb") as file:
    document = file.read()
headers = {
    "Authorization": "Bearer " + os.environ["TOKEN"],
    "Content-Type": "application/octet-stream",
    # Safe to ask again: the same file under the same key is notarised once.
    "Idempotency-Key": '"%s"' % hashlib.sha256(document).hexdigest(),
}
request = urllib.request.Request(os.environ["GATEWAY"] + "/v1/documents", document, headers)
for attempt in range(6):
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            receipt = answer.read()
        break
    except urllib.error.HTTPError as error:  # A problem: its body says in words what is wrong.
        if attempt == 5 or error.code not in (409, 503, 504):
            sys.exit(error.read().decode())
    except OSError as error:
        if attempt == 5:
            sys.exit(str(error))
    time.sleep(2**attempt)
with open(path + ".receipt.json", "wb") as file:
    file.write(receipt)
