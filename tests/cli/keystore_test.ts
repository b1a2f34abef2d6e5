import { assertEquals, assertThrows } from "@std/assert";
import { decryptKeystore } from "../../cli/keystore.ts";

const KEY =
  "0x7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d";

/** The test vectors of the Web3 Secret Storage definition; the password is "testpassword". */
const pbkdf2 = {
  crypto: {
    cipher: "aes-128-ctr",
    cipherparams: { iv: "6087dab2f9fdbbfaddc31a909735c1e6" },
    ciphertext:
      "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
    kdf: "pbkdf2",
    kdfparams: {
      c: 262144,
      dklen: 32,
      prf: "hmac-sha256",
      salt: "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd",
    },
    mac: "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2",
  },
  version: 3,
};
const scrypt = {
  crypto: {
    cipher: "aes-128-ctr",
    cipherparams: { iv: "83dbcc02d8ccb40e466191a123791e0e" },
    ciphertext:
      "d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c",
    kdf: "scrypt",
    kdfparams: {
      dklen: 32,
      n: 262144,
      r: 1,
      p: 8,
      salt: "ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19",
    },
    mac: "2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097",
  },
  version: 3,
};

Deno.test("decryptKeystore: gives the key of the published vectors", () => {
  assertEquals(decryptKeystore(pbkdf2, "testpassword", "a.json"), KEY);
  assertEquals(decryptKeystore(scrypt, "testpassword", "a.json"), KEY);
});

Deno.test("decryptKeystore: names a wrong password, version and cipher", () => {
  const cases: [unknown, string, string][] = [
    [pbkdf2, "other", "the password"],
    [{ ...pbkdf2, version: 1 }, "testpassword", "version 3"],
    [null, "testpassword", "version 3"],
    [
      { version: 3, crypto: { ...pbkdf2.crypto, cipher: "des" } },
      "testpassword",
      "aes-128-ctr",
    ],
    [
      { version: 3, crypto: { ...pbkdf2.crypto, kdf: "none" } },
      "testpassword",
      "scrypt or pbkdf2",
    ],
  ];
  for (const [json, password, text] of cases) {
    assertThrows(
      () => decryptKeystore(json, password, "a.json"),
      Error,
      text,
    );
  }
});
