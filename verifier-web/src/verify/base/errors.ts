/** An error with a stable code: the code is part of the interface, the message is for people and may change. */
export class VerifyError extends Error {
  /** Stable code, such as `record.header`. */
  readonly code: string;

  constructor(code: string, message: string = code) {
    super(message);
    this.name = new.target.name;
    this.code = code;
  }
}

/** Why bytes are not the one canonical form of a value. */
export type CodecReason = "json" | "not-canonical" | "too-deep" | "base64" | "hex" | "decimal";

/** Bytes that are not the one canonical form of a value. */
export class CodecError extends VerifyError {
  /** What is wrong with them. */
  readonly reason: CodecReason;

  constructor(reason: CodecReason, message: string) {
    super(`codec.${reason}`, message);
    this.reason = reason;
  }
}
