// The C2SP `tlog-policy` of an epoch: by it, existing transparency-log tools accept a network's checkpoints.

import type { ValidatorSet } from "./epoch.js";
import { TYPE_COSIGNATURE_V1, TYPE_ED25519, verifierKeyText } from "./note.js";

/** The policy text: every node's log key, every validator as a witness, a group with the quorum's threshold. */
export function tlogPolicy(origin: string, set: ValidatorSet): string {
  const logs = set.validators.map(
    ({ logKey }) => `log ${verifierKeyText({ name: origin, signatureType: TYPE_ED25519, key: logKey })}\n`,
  );
  const witnesses = set.validators.map(({ name, consensusKey }) => {
    const key = verifierKeyText({ name, signatureType: TYPE_COSIGNATURE_V1, key: consensusKey });
    return `witness ${name} ${key}\n`;
  });
  const names = set.validators.map(({ name }) => ` ${name}`).join("");
  return `${logs.join("")}${witnesses.join("")}group validators ${set.quorum}${names}\nquorum validators\n`;
}
