// Printed pages as people hold them in front of a page: pictures, and what a camera sees.

import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Runs poppler's renderer, and gives the picture of the first page. */
export async function rendered(pdf, kind, dpi) {
  const folder = await mkdtemp(path.join(tmpdir(), "testamur-picture-"));
  try {
    const flags = { png: ["-png"], jpeg: ["-jpeg"], gray: ["-gray"] }[kind];
    await run("pdftoppm", ["-singlefile", "-f", "1", "-l", "1", "-r", String(dpi), ...flags, pdf, path.join(folder, "page")]);
    return await readFile(path.join(folder, `page.${{ png: "png", jpeg: "jpg", gray: "pgm" }[kind]}`));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A film of one picture for Chromium's fake camera (YUV4MPEG2), with a part of the page that holds the code. */
export async function film(pdf, file) {
  const pgm = await rendered(pdf, "gray", 110);
  const [, width, height] = /^P5\s+(\d+)\s+(\d+)\s+255\s/.exec(pgm.subarray(0, 40).toString("latin1")).map(Number);
  const pixels = pgm.subarray(pgm.length - width * height);
  // Even sides, and the whole page: chroma is grey.
  const [w, h] = [width & ~1, height & ~1];
  const luma = Buffer.alloc(w * h);
  for (let y = 0; y < h; y++) pixels.copy(luma, y * w, y * width, y * width + w);
  const chroma = Buffer.alloc((w * h) / 2, 128);
  const frame = Buffer.concat([Buffer.from("FRAME\n"), luma, chroma]);
  await writeFile(file, Buffer.concat([Buffer.from(`YUV4MPEG2 W${w} H${h} F10:1 Ip A1:1 C420jpeg\n`), frame, frame]));
  return file;
}
