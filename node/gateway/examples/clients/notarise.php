<?php // Notarises a file: GATEWAY=https://… TOKEN=… php notarise.php FILE writes FILE.receipt.json.
$path = $argv[1];
$document = file_get_contents($path);
$options = ['http' => [
    'method' => 'POST',
    'ignore_errors' => true,
    'timeout' => 60,
    'header' => [
        'Authorization: Bearer ' . getenv('TOKEN'),
        'Content-Type: application/octet-stream',
        // Safe to ask again: the same file under the same key is notarised once.
        'Idempotency-Key: "' . hash('sha256', $document) . '"',
    ],
    'content' => $document,
]];
for ($attempt = 0; $attempt < 6; $attempt++) {
    if ($attempt > 0) sleep(2 ** ($attempt - 1));
    $answer = @file_get_contents(getenv('GATEWAY') . '/v1/documents', false, stream_context_create($options));
    $status = $answer === false ? 0 : (int) explode(' ', $http_response_header[0])[1];
    if (!in_array($status, [0, 409, 503, 504])) break;
}
if ($status !== 200) { // A problem: its body says in words what is wrong.
    fwrite(STDERR, $answer === false ? "no answer\n" : $answer);
    exit(1);
}
file_put_contents("$path.receipt.json", $answer);
