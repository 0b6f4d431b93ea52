// QR codes from photos, scans and the camera. Pictures are read here and go nowhere.
import { decodeQR } from 'qr/decode.js';

import { pictureSize } from './picture.js';

/** Why a picture or camera gives no text. */
export type QrCode =
  /** It is not a picture that this browser reads. */
  | 'qr.image'
  /** It is larger than any scan. */
  | 'qr.too-large'
  /** No QR code is found in it, or none that can be read. */
  | 'qr.none'
  /** The user or the system forbids the camera. */
  | 'camera.denied'
  /** There is no camera. */
  | 'camera.none'
  /** Another program has it. */
  | 'camera.busy'
  /** Browsers give the camera to pages over HTTPS only. */
  | 'camera.insecure'
  /** Anything else. */
  | 'camera.failed';

/** No text. */
export class QrError extends Error {
  override readonly name = 'QrError';

  constructor(readonly code: QrCode) {
    super(code);
  }
}

/** How the camera is watched. */
export interface CameraOptions {
  /** Called once, with the first code that looks like a diploma; the camera is off by then. */
  readonly onText: (text: string) => void;
  /** Called when the camera went off by itself: the page was hidden, the device was unplugged. */
  readonly onEnd: () => void;
}

/** A camera that is on. */
export interface CameraHandle {
  /** Turns it off, at once. */
  stop(): void;
}

/** What reads QR codes. */
export interface Qr {
  /** The text of the QR code in a photo or scan; throws a {@link QrError}. */
  decodeImage(file: Blob, signal?: AbortSignal): Promise<string>;
  /** Shows the camera in a video element and looks for a code; throws a {@link QrError}. */
  camera(video: HTMLVideoElement, options: CameraOptions): Promise<CameraHandle>;
}

/** Bytes of a picture: a scan of an A4 page at 600 dpi. */
const PICTURE_BYTES_MAX = 32 * 1024 * 1024;
/** Pixels of a picture: an A4 page at 900 dpi. What inflates to more is not meant to be looked at. */
const PIXELS_MAX = 80_000_000;
/** Pixels of what is looked at in one piece: every browser has a canvas of this size. */
const CANVAS_PIXELS_MAX = 12_000_000;
/** Pixels of the first look: an A4 page at 200 dpi, which is enough nearly always and quick on a phone. */
const FIRST_PIXELS = 4_000_000;
/** Milliseconds after which a picture is given up: the decoder needs tens of them for one that can be read. */
const PICTURE_TIME_MS = 8_000;
/** Milliseconds of second attempts within one look at a picture, and within one look at a frame of the camera. */
const ATTEMPT_MS = 400;
const FRAME_MS = 60;
/** Milliseconds between two frames: a hand is not quicker. */
const FRAME_PAUSE_MS = 100;
/** Longest side of a frame that is looked at. */
const FRAME_SIDE_MAX = 1_920;

/** The camera at the back, sharp enough for a dense code, and all that it sees: a browser may otherwise cut a part out. */
const WANTED: MediaTrackConstraints & { readonly resizeMode: string } = {
  facingMode: { ideal: 'environment' },
  width: { ideal: 1920 },
  height: { ideal: 1080 },
  resizeMode: 'none',
};

export const qr: Qr = { decodeImage, camera };

/** Whether a text may be a diploma's: a link with a credential, or a credential. Posters have QR codes, too. */
function looksRight(text: string): boolean {
  return /(^|#|%23)ey[\w-]+\.[\w-]+\.[\w-]+/.test(text);
}

async function decodeImage(file: Blob, signal?: AbortSignal): Promise<string> {
  if (file.size > PICTURE_BYTES_MAX) throw new QrError('qr.too-large');
  const head = new Uint8Array(await file.slice(0, 1024 * 1024).arrayBuffer());
  const size = pictureSize(head);
  if (size === undefined) throw new QrError('qr.image');
  if (size.width * size.height > PIXELS_MAX) throw new QrError('qr.too-large');
  let bitmap: ImageBitmap;
  try {
    // Browsers turn a photo as its EXIF says, or do not: the decoder finds codes in any orientation.
    bitmap = await createImageBitmap(file);
  } catch {
    throw new QrError('qr.image');
  }
  try {
    const found = await search(bitmap, signal);
    if (found === undefined) throw new QrError('qr.none');
    return found;
  } finally {
    bitmap.close();
  }
}

/** A part of a picture, and how much it is scaled. */
interface View {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly scale: number;
}

/** Looks at the whole, then closer and from further away. */
async function search(bitmap: ImageBitmap, signal?: AbortSignal): Promise<string | undefined> {
  const canvas = document.createElement('canvas');
  const end = performance.now() + PICTURE_TIME_MS;
  let other: string | undefined;
  for (const view of views(bitmap.width, bitmap.height)) {
    if (signal?.aborted === true) throw new DOMException('the search was given up', 'AbortError');
    const text = look(canvas, bitmap, view, ATTEMPT_MS);
    if (text !== undefined && looksRight(text)) return text;
    // A code that is no diploma's: perhaps the diploma's is elsewhere on the page.
    other ??= text;
    if (performance.now() > end) break;
    // The page stays usable meanwhile.
    await new Promise((resolve) => setTimeout(resolve));
  }
  return other;
}

function* views(width: number, height: number): Generator<View> {
  const fit = Math.min(1, Math.sqrt(CANVAS_PIXELS_MAX / (width * height)));
  const whole = { x: 0, y: 0, width, height };
  const first = Math.min(1, Math.sqrt(FIRST_PIXELS / (width * height)));
  yield { ...whole, scale: first };
  if (fit > first) yield { ...whole, scale: fit };
  // Halves of both sides, overlapping by half, at full resolution or enlarged: a code is a small part of a page.
  const [w, h] = [Math.ceil(width / 2), Math.ceil(height / 2)];
  const enlarge = Math.min(2, Math.sqrt(CANVAS_PIXELS_MAX / (w * h)));
  // Diplomas of ours have the code at the bottom left.
  for (const row of [2, 1, 0]) {
    for (const column of [0, 1, 2]) {
      const [x, y] = [Math.floor((width - w) * (column / 2)), Math.floor((height - h) * (row / 2))];
      yield { x, y, width: w, height: h, scale: enlarge };
    }
  }
  // Noise and the grain of paper vanish from further away.
  for (const scale of [0.66, 0.5, 0.33]) yield { ...whole, scale: fit * scale };
}

function look(canvas: HTMLCanvasElement, source: CanvasImageSource, view: View, timeLimit: number): string | undefined {
  const width = Math.max(1, Math.round(view.width * view.scale));
  const height = Math.max(1, Math.round(view.height * view.scale));
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (context === null) throw new QrError('qr.image');
  context.imageSmoothingQuality = 'high';
  // Where a picture is transparent, it is meant to lie on paper.
  context.fillStyle = '#fff';
  context.fillRect(0, 0, width, height);
  context.drawImage(source, view.x, view.y, view.width, view.height, 0, 0, width, height);
  const { data } = context.getImageData(0, 0, width, height);
  try {
    return decodeQR({ width, height, data }, { timeLimit });
  } catch {
    return undefined;
  }
}

async function camera(video: HTMLVideoElement, options: CameraOptions): Promise<CameraHandle> {
  // Absent where the page did not come over HTTPS, whatever the types say.
  const devices: MediaDevices | undefined = navigator.mediaDevices;
  if (devices === undefined) throw new QrError(globalThis.isSecureContext ? 'camera.none' : 'camera.insecure');
  let stream: MediaStream;
  try {
    stream = await devices.getUserMedia({ audio: false, video: WANTED });
  } catch (error) {
    throw new QrError(cameraCode(error));
  }
  let timer: ReturnType<typeof setTimeout> | undefined;
  let running = true;
  const stop = (): void => {
    if (!running) return;
    running = false;
    clearTimeout(timer);
    removeEventListener('pagehide', ended);
    document.removeEventListener('visibilitychange', hidden);
    for (const track of stream.getTracks()) track.stop();
    video.srcObject = null;
  };
  const ended = (): void => {
    if (!running) return;
    stop();
    options.onEnd();
  };
  // Nobody expects a camera to be on behind a page that is not seen.
  const hidden = (): void => {
    if (document.visibilityState === 'hidden') ended();
  };
  for (const track of stream.getTracks()) track.addEventListener('ended', ended);
  addEventListener('pagehide', ended);
  document.addEventListener('visibilitychange', hidden);
  try {
    video.muted = true;
    video.playsInline = true;
    video.srcObject = stream;
    await video.play();
  } catch {
    stop();
    throw new QrError('camera.failed');
  }
  // Hidden while its user was asked.
  hidden();
  const canvas = document.createElement('canvas');
  const watch = (): void => {
    if (!running) return;
    const { videoWidth: width, videoHeight: height } = video;
    if (width > 0 && height > 0) {
      const scale = Math.min(1, FRAME_SIDE_MAX / Math.max(width, height));
      const text = look(canvas, video, { x: 0, y: 0, width, height, scale }, FRAME_MS);
      if (text !== undefined && looksRight(text)) {
        stop();
        options.onText(text);
        return;
      }
    }
    timer = setTimeout(watch, FRAME_PAUSE_MS);
  };
  watch();
  return { stop };
}

function cameraCode(error: unknown): QrCode {
  const name = error instanceof DOMException ? error.name : '';
  switch (name) {
    case 'NotAllowedError':
    case 'SecurityError':
      return 'camera.denied';
    case 'NotFoundError':
    case 'OverconstrainedError':
      return 'camera.none';
    case 'NotReadableError':
    case 'AbortError':
      return 'camera.busy';
    default:
      return 'camera.failed';
  }
}
