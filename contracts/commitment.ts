/**
 * Commitments and their salts: what hides a state until its reveal.
 *
 * A salt is derived from a secret and the id it serves, so that whoever has lost his database can still reveal.
 */
import {
  type Address,
  concat,
  type Hex,
  keccak256,
  numberToHex,
  size,
  stringToHex,
} from "viem";
import { ChainLearnError } from "../fpvm/mod.ts";

const DOMAIN = stringToHex("ChainLearn salt 1");

/**
 * keccak256(secret | "ChainLearn salt 1" | id | attempt): `secret` is 32 bytes that nobody else knows (an account's
 * private key), `id` a request's or a submission's, `attempt` the request's number of reopenings, 4 bytes.
 */
export function deriveSalt(secret: Hex, id: Hex, attempt = 0): Hex {
  if (size(secret) !== 32 || size(id) !== 32) {
    throw new ChainLearnError(
      `Cannot derive a salt: expected a secret and an id of 32 bytes, found ${
        size(secret)
      } and ${size(id)}`,
    );
  }
  return keccak256(
    concat([secret, DOMAIN, id, numberToHex(attempt, { size: 4 })]),
  );
}

/** What `commit` takes: keccak256(requestId | submitter | S_n | salt). */
export function submissionCommitment(
  requestId: Hex,
  submitter: Address,
  claim: Hex,
  salt: Hex,
): Hex {
  return keccak256(concat([requestId, submitter, claim, salt]));
}
