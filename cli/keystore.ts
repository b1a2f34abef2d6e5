/**
 * An account's private key: from the environment or an encrypted keystore file (Web3 Secret Storage, version 3).
 *
 * Never from the command line, which other users of a machine can read.
 */
import { Buffer } from "node:buffer";
import { createDecipheriv, pbkdf2Sync, timingSafeEqual } from "node:crypto";
import { scrypt } from "@noble/hashes/scrypt.js";
import { bytesToHex, type Hex } from "viem";
import { ChainLearnError, keccak256 } from "../fpvm/mod.ts";
import { readJson } from "./files.ts";

export const KEY_VARIABLE = "CHAINLEARN_KEY";
export const PASSWORD_VARIABLE = "CHAINLEARN_PASSWORD";

/** The private key that signs: of the keystore file if one is named, else of the environment. */
export async function readKey(keystore?: string): Promise<Hex> {
  if (keystore !== undefined) {
    const password = Deno.env.get(PASSWORD_VARIABLE);
    if (password === undefined) {
      throw new ChainLearnError(
        `Cannot open keystore ${keystore}: expected its password in ${PASSWORD_VARIABLE}, found none`,
      );
    }
    return decryptKeystore(
      await readJson(keystore, "keystore"),
      password,
      keystore,
    );
  }
  const key = Deno.env.get(KEY_VARIABLE);
  if (key === undefined) {
    throw new ChainLearnError(
      `Cannot sign: expected a private key in ${KEY_VARIABLE} or a keystore file, found neither`,
      { hint: "Set the variable, or name the file with --keystore." },
    );
  }
  const hex = key.startsWith("0x") ? key.slice(2) : key;
  if (!/^[0-9a-fA-F]{64}$/.test(hex) || /^0+$/.test(hex)) {
    throw new ChainLearnError(
      `Cannot sign: expected 64 hexadecimal digits in ${KEY_VARIABLE}, found another text of ${key.length} characters`,
    );
  }
  return `0x${hex.toLowerCase()}`;
}

interface Keystore {
  readonly cipher: string;
  readonly ciphertext: string;
  readonly cipherparams: { readonly iv: string };
  readonly kdf: string;
  readonly kdfparams: Readonly<Record<string, number & string>>;
  readonly mac: string;
}

/** Decrypts a keystore's JSON; throws for another version, an unknown cipher or a wrong password. */
export function decryptKeystore(
  json: unknown,
  password: string,
  file: string,
): Hex {
  const fail = (expected: string, found: unknown): never => {
    throw new ChainLearnError(
      `Cannot open keystore ${file}: expected ${expected}, found ${found}`,
    );
  };
  const { version, crypto } = (json ?? {}) as {
    version?: unknown;
    crypto?: Keystore;
  };
  if (version !== 3 || typeof crypto !== "object" || crypto === null) {
    return fail("version 3", version);
  }
  if (crypto.cipher !== "aes-128-ctr") {
    return fail("aes-128-ctr", crypto.cipher);
  }
  try {
    const key = deriveKey(crypto, password) ??
      fail("scrypt or pbkdf2", crypto.kdf);
    const text = Buffer.from(crypto.ciphertext, "hex");
    const mac = keccak256(Buffer.concat([key.subarray(16, 32), text]));
    if (!timingSafeEqual(mac, Buffer.from(crypto.mac, "hex"))) {
      return fail("the password that encrypted it", "another");
    }
    const iv = Buffer.from(crypto.cipherparams.iv, "hex");
    const decipher = createDecipheriv("aes-128-ctr", key.subarray(0, 16), iv);
    return bytesToHex(Buffer.concat([decipher.update(text), decipher.final()]));
  } catch (error) {
    if (error instanceof ChainLearnError) throw error;
    return fail("whole key parameters", (error as Error).message);
  }
}

function deriveKey(
  { kdf, kdfparams }: Keystore,
  password: string,
): Buffer | undefined {
  const salt = Buffer.from(kdfparams.salt, "hex");
  const { dklen } = kdfparams;
  if (kdf === "scrypt") {
    const { n: N, r, p } = kdfparams;
    // Deno's node:crypto refuses the definition's own test vector (r = 1), so the library's; it stops at 1 GiB.
    return Buffer.from(scrypt(password, salt, { N, r, p, dkLen: dklen }));
  }
  if (kdf === "pbkdf2") {
    return pbkdf2Sync(password, salt, kdfparams.c, dklen, "sha256");
  }
  return undefined;
}
