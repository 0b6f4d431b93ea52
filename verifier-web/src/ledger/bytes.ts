/** An answer that is longer than anything honest. */
export class TooLong extends Error {
  override readonly name = 'TooLong';

  constructor(readonly most: number) {
    super(`the answer has more than ${most} bytes`);
  }
}

/** The whole body of an answer, if it has at most `most` bytes. What is longer is cut off and not read to its end. */
export async function boundedBytes(response: Response, most: number): Promise<Uint8Array> {
  const reader = response.body?.getReader();
  if (reader === undefined) {
    const bytes = new Uint8Array(await response.arrayBuffer());
    if (bytes.length > most) throw new TooLong(most);
    return bytes;
  }
  const pieces: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > most) {
      // Nobody waits for the end of the refusal.
      reader.cancel().catch(() => undefined);
      throw new TooLong(most);
    }
    pieces.push(value);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
