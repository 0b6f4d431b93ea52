/** Why something handed in is not a credential that can be verified: each refusal is one of the stable reasons. */

import { quoted } from "../base/text.js";

/** Kinds of refusals, and the code of the reason that a report gives for each. */
const REASON_OF = {
  "unknown-format": "readable.unknown-format",
  "too-large": "readable.too-large",
  "no-credential": "readable.no-credential",
  archive: "readable.archive",
  malformed: "readable.malformed",
  "duplicate-member": "readable.duplicate-members",
  incomplete: "readable.incomplete",
  disclosure: "readable.disclosure",
  "schema-unknown": "readable.schema-unknown",
  "signature-missing": "signature.missing",
  algorithm: "signature.algorithm",
  "key-unknown": "signature.key-unknown",
  "signature-invalid": "signature.invalid",
  "foreign-issuer": "issuer.foreign-did",
  "status-unknown": "status.unknown-list",
} as const;

/** A kind of refusal. */
export type RefusalKind = keyof typeof REASON_OF;
/** The code of a refusal's reason. */
export type RefusalReason = (typeof REASON_OF)[RefusalKind];

/** Why reading stopped. Nothing in it repeats what the credential attests. */
export class Refusal extends Error {
  /** What kind of refusal. */
  readonly kind: RefusalKind;

  private constructor(kind: RefusalKind, message: string) {
    super(message);
    this.name = "Refusal";
    this.kind = kind;
  }

  /** The code of the reason that a report gives. */
  get reason(): RefusalReason {
    return REASON_OF[this.kind];
  }

  /** No format that is known here. */
  static unknownFormat(what: string): Refusal {
    return new Refusal("unknown-format", `this is no credential of a known format: ${what}`);
  }

  /** Larger than anything that is read. */
  static tooLarge(bytes: number, most: number): Refusal {
    return new Refusal("too-large", `${bytes} bytes are more than the ${most} that are read`);
  }

  /** A container or link that holds no credential. */
  static noCredential(): Refusal {
    return new Refusal("no-credential", "there is no credential in it");
  }

  /** A container that is damaged, or unpacks to more than is read. */
  static archive(what: string): Refusal {
    return new Refusal("archive", what);
  }

  /** Not made by the rules of its format. */
  static malformed(what: string): Refusal {
    return new Refusal("malformed", what);
  }

  /** A doubled member. */
  static duplicateMember(name: string): Refusal {
    return new Refusal("duplicate-member", `the member ${quoted(name)} stands twice in one object`);
  }

  /** A member that every credential has is missing. */
  static incomplete(name: string): Refusal {
    return new Refusal("incomplete", `${name} is missing`);
  }

  /** A disclosure that does not belong to its SD-JWT. */
  static disclosure(what: string): Refusal {
    return new Refusal("disclosure", what);
  }

  /** A schema that is named in no way of this ledger. */
  static schemaUnknown(id: string): Refusal {
    return new Refusal("schema-unknown", `the schema ${quoted(id)} is none of this ledger`);
  }

  /** No signature at all. */
  static signatureMissing(): Refusal {
    return new Refusal("signature-missing", "the signature is missing");
  }

  /** An algorithm that is not accepted, or does not belong to the key. */
  static algorithm(what: string): Refusal {
    return new Refusal("algorithm", what);
  }

  /** A key id that can be none of the issuer's document. */
  static keyUnknown(kid: string): Refusal {
    return new Refusal("key-unknown", `the key id ${quoted(kid)} is none of a DID document`);
  }

  /** The signature does not verify. */
  static signatureInvalid(): Refusal {
    return new Refusal("signature-invalid", "the signature does not verify");
  }

  /** Issued by somebody whom no ledger of this kind knows. */
  static foreignIssuer(issuer: string): Refusal {
    return new Refusal("foreign-issuer", `the issuer ${quoted(issuer)} is no DID of a ledger`);
  }

  /** A kind of status that is not known here. */
  static statusUnknown(name: string): Refusal {
    return new Refusal("status-unknown", `the status type ${quoted(name)} is unknown`);
  }
}
