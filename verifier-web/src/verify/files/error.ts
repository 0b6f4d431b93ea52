/** Why a file cannot be opened: too large, nothing inside that could be a credential, or damaged, encrypted, out of bounds. */
export type OpenFault = "too-large" | "no-credential" | "container";

/** Why a file cannot be opened. */
export class OpenError extends Error {
  /** The kind. */
  readonly fault: OpenFault;
  /** Bytes of a file that is too large. */
  readonly bytes: number;

  private constructor(fault: OpenFault, message: string, bytes = 0) {
    super(message);
    this.name = "OpenError";
    this.fault = fault;
    this.bytes = bytes;
  }

  /** Larger than anything that is looked at. */
  static tooLarge(bytes: number): OpenError {
    return new OpenError("too-large", `the file has ${bytes} bytes`, bytes);
  }

  /** A PDF or ZIP that holds nothing that could be a credential. */
  static noCredential(): OpenError {
    return new OpenError("no-credential", "no credential is inside");
  }

  /** A PDF or ZIP that is damaged, encrypted or out of bounds. */
  static container(why: string): OpenError {
    return new OpenError("container", `the container cannot be read: ${why}`);
  }
}
