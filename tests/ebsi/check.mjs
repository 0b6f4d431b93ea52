// Asks EBSI's libraries, in a process of its own, and prints one JSON line. Exit code 0: yes, 1: no, 2: wrong use.
//
//   node check.mjs BASE verify FILE.jwt [--no-status] [--accreditation] [--valid-at UNIX-SECONDS]
//   node check.mjs BASE resolve DID
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { resolve, verifyWithEbsi } from "./library.mjs";

function usage(message) {
  console.error(
    `${message}\nuse: check.mjs BASE verify FILE.jwt [--no-status] [--accreditation] [--valid-at N] | BASE resolve DID`,
  );
  process.exit(2);
}

let positionals, values;
try {
  const options = {
    "no-status": { type: "boolean" },
    accreditation: { type: "boolean" },
    "valid-at": { type: "string" },
  };
  ({ positionals, values } = parseArgs({ allowPositionals: true, options }));
} catch (error) {
  usage(error.message);
}
const [base, command, argument] = positionals;
if (positionals.length !== 3 || !["verify", "resolve"].includes(command)) usage("three words are expected");
const validAt = values["valid-at"] === undefined ? undefined : Number(values["valid-at"]);
if (validAt !== undefined && !Number.isSafeInteger(validAt)) usage("--valid-at takes Unix seconds");

let answer;
if (command === "resolve") {
  answer = await resolve(base, argument);
} else {
  let jwt;
  try {
    jwt = readFileSync(argument, "utf8").trim();
  } catch (error) {
    usage(error.message);
  }
  answer = await verifyWithEbsi(base, jwt, {
    status: !values["no-status"],
    accreditation: values.accreditation,
    validAt,
  });
}
console.log(JSON.stringify(answer));
process.exitCode = answer.ok ? 0 : 1;
