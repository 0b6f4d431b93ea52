#!/bin/sh
# Notarises a file: GATEWAY=https://… TOKEN=… ./notarise.sh FILE writes FILE.receipt.json.
# The key makes it safe to ask again: the same file under the same key is notarised once.
set -eu
key=$(sha256sum "$1" | cut -c1-64)
curl --fail-with-body --silent --show-error --retry 5 --retry-connrefused \
    --header "Authorization: Bearer $TOKEN" \
    --header "Idempotency-Key: \"$key\"" \
    --header "Content-Type: application/octet-stream" \
    --data-binary "@$1" --output "$1.receipt.json" "$GATEWAY/v1/documents"
