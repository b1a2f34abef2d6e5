/**
 * Bad input to every command: the golden text of its error, its exit code, no stack trace, nothing written.
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { npy, png, shipped, withOperator, withWeight } from "./bad_files.ts";
import { chainlearn, filesIn, succeeds } from "./command.ts";

/** A command line, its exit code and all that it says. */
type Case = readonly [command: string, code: number, error: string];

const damaged =
  "Try: The file is damaged or not a bundle; convert the model again or fetch it again";
const changed =
  "Try: The file is damaged or was not made by this version; convert the model again or fetch it again";
const whole = "Try: Check that the file was copied or downloaded whole";
const absent = "Try: Check the path and its permissions";
const picture =
  "Try: Scale the picture and save it with the expected channels (1 is gray, 3 is RGB)";

/** A folder with one file of every bad kind, and good ones to go with them. */
async function makeFolder(): Promise<string> {
  const folder = await Deno.makeTempDir();
  const write = (name: string, data: Uint8Array | string) =>
    typeof data === "string"
      ? Deno.writeTextFileSync(join(folder, name), data)
      : Deno.writeFileSync(join(folder, name), data);
  const mlp = shipped("fashion_mlp/fashion_mlp.onnx");
  const cnn = shipped("fashion_cnn/fashion_cnn.onnx");
  const samples = shipped("fashion_mlp/fashion_mlp.calib.npz");
  const models = {
    m: mlp,
    cut: mlp.slice(0, 200_000),
    nan: withWeight(mlp, 0x7fc00000),
    infinite: withWeight(mlp, 0xff800000),
    odd: withOperator(
      withOperator(cnn, "GlobalAveragePool", "GlobalAverageHole"),
      "MaxPool",
      "MixPool",
    ),
    text: "not a model\n",
    empty: "",
    few: mlp,
    shapes: mlp,
  };
  for (const [name, data] of Object.entries(models)) {
    write(`${name}.onnx`, data);
    write(`${name}.calib.npz`, samples);
  }
  write("lonely.onnx", mlp);
  write("few.calib.npz", samples.slice(0, 1000));
  const boot = shipped("fashion_mlp/pictures/0-ankle-boot.png");
  write("boot.png", boot);
  write("cut.png", boot.slice(0, 100));
  write("large.png", png(32, 28));
  write("color.png", png(28, 28, 3));
  write("short.npy", npy("|u1", [10], new Uint8Array(10)));
  write("wide.npy", npy("<i8", [784], new Uint8Array(8 * 784)));
  write("cut.npy", npy("|u1", [784], new Uint8Array(700)));
  const nans = new Float32Array(784).fill(NaN);
  write("nan.npy", npy("<f4", [784], new Uint8Array(nans.buffer)));
  write("words.json", '[1, "two"]');
  write("torn.json", "[1, 2");
  write("large.json", JSON.stringify(new Array(784).fill(256)));
  await succeeds(folder, ["convert", "m.onnx"]);
  const prove = ["prove", "m.clm", "--input", "boot.png", "-o"];
  await succeeds(folder, [...prove, "a.claim"]);
  await succeeds(folder, [...prove, "b.claim", "--fault", "node=1"]);
  await succeeds(folder, ["bisect", "a.claim", "b.claim", "-o", "w.witness"]);
  const bundle = Deno.readFileSync(join(folder, "m.clm"));
  write("cut.clm", bundle.slice(0, 60_000));
  bundle[bundle.length - 5000] ^= 4;
  write("flipped.clm", bundle);
  write("text.clm", "x");
  write("other.receipt.json", "{}");
  write(
    "cut.claim",
    Deno.readTextFileSync(join(folder, "a.claim")).slice(0, 99),
  );
  write("cut.witness", '{"format": "chainlearn witness 1"}');
  return folder;
}

const conversions: Case[] = [
  [
    "convert absent.onnx",
    2,
    `Error: Cannot read model absent.onnx: expected a file, found none\n${absent}`,
  ],
  [
    "convert cut.onnx",
    2,
    `Error: Cannot read model "cut": expected an ONNX file, found bytes that cannot be decoded (premature EOF)\n${whole}`,
  ],
  [
    "convert text.onnx",
    2,
    `Error: Cannot read model "text": expected an ONNX file, found bytes that cannot be decoded (illegal tag: field no 13 wire type 6)\n${whole}`,
  ],
  [
    "convert empty.onnx",
    2,
    `Error: Cannot read model "empty": expected an ONNX file, found an empty file\n${whole}`,
  ],
  [
    "convert nan.onnx",
    2,
    `Error: Cannot convert "nan": initializer "2.weight": expected finite values, found NaN at element 7`,
  ],
  [
    "convert infinite.onnx",
    2,
    `Error: Cannot convert "infinite": initializer "2.weight": expected finite values, found -Infinity at element 7`,
  ],
  [
    "convert odd.onnx",
    2,
    `Error: Cannot convert "odd": 3 problems:
  MixPool "/4/MaxPool": unsupported operator: replace it in the source model, or cut the graph before it
  MixPool "/12/MaxPool": unsupported operator: replace it in the source model, or cut the graph before it
  GlobalAverageHole "/16/GlobalAveragePool": unsupported operator: replace it in the source model, or cut the graph before it`,
  ],
  [
    "convert lonely.onnx -p int8",
    2,
    `Error: Cannot convert "lonely" to int8: expected calibration data, found none
Try: Put sample inputs into MODEL.calib.npz, or give --calibrate`,
  ],
  [
    "convert few.onnx",
    2,
    "Error: Cannot read arrays few.calib.npz: expected an .npz file, found something else",
  ],
  [
    "convert m.onnx --dim x",
    2,
    "Error: Cannot read --dim x: expected name=size with a size of at least 1",
  ],
  [
    "convert m.onnx -p int3",
    2,
    `Error: option '-p, --precision <kind>' argument 'int3' is invalid. expected one of auto, int8, int16, float, found "int3"`,
  ],
  [
    "convert m.onnx -o nowhere/m.clm",
    3,
    "Error: Cannot write bundle nowhere/m.clm: expected a folder nowhere, found none",
  ],
  [
    "inspect cut.onnx",
    2,
    `Error: Cannot read model "cut": expected an ONNX file, found bytes that cannot be decoded (premature EOF)\n${whole}`,
  ],
  [
    "inspect boot.png",
    2,
    "Error: Cannot inspect boot.png: expected a .onnx or .clm file, found another ending",
  ],
  [
    "inspect cut.clm",
    2,
    `Error: Cannot read bundle cut.clm: expected tensor "/3/Relu.weight" at byte 0, inside the file, found [0, 100352]\n${damaged}`,
  ],
];

/** What `run`, `verify` and `prove` say of an input; they read inputs by the same code. */
const inputs: readonly (readonly [file: string, error: string])[] = [
  [
    "absent.png",
    `Error: Cannot read picture absent.png: expected a file, found none\n${absent}`,
  ],
  [
    "large.png",
    `Error: Cannot take picture large.png: expected 28 x 28 x 1 of 8 bits, found 28 x 32 x 1 of 8 bits\n${picture}`,
  ],
  [
    "color.png",
    `Error: Cannot take picture color.png: expected 28 x 28 x 1 of 8 bits, found 28 x 28 x 3 of 8 bits\n${picture}`,
  ],
  [
    "cut.png",
    "Error: Cannot read picture cut.png: expected a PNG, found a damaged file or another kind",
  ],
  [
    "short.npy",
    'Error: Cannot take short.npy for input "image": expected 784 elements of [1,28,28,1], found [10]',
  ],
  [
    "wide.npy",
    'Error: Cannot take wide.npy for input "image": expected u8 or floats, found NumPy type i8',
  ],
  [
    "cut.npy",
    "Error: Cannot read array cut.npy: expected a NumPy file, found a problem: it is truncated",
  ],
  [
    "nan.npy",
    "Error: Cannot take element 0 of nan.npy: expected a finite number, found NaN",
  ],
  [
    "words.json",
    "Error: Cannot read array words.json: expected nested lists of numbers, found other values",
  ],
  [
    "torn.json",
    "Error: Cannot read array torn.json: expected JSON, found other text",
  ],
  [
    "large.json",
    "Error: Cannot take element 0 of large.json: expected a whole number in 0 .. 255, found 256",
  ],
  [
    "m.onnx",
    'Error: Cannot take m.onnx for input "image": expected .png, .npy, .npz or .json, found .onnx',
  ],
  [
    "other=boot.png",
    'Error: Cannot run "m": expected a file for input "image", found none',
  ],
];

const bundles: readonly (readonly [file: string, error: string])[] = [
  [
    "flipped.clm",
    `Error: Cannot load bundle flipped.clm: expected page 1 of tensor "/5/Relu.weight" to hash to its node, found a changed page or node\n${changed}`,
  ],
  [
    "text.clm",
    `Error: Cannot read bundle text.clm: expected at least 8 bytes, found 1\n${damaged}`,
  ],
];

const executions: Case[] = [
  ...inputs.map(([file, error], i): Case => {
    const command = ["run m.clm", "verify m.clm", "prove m.clm -o n.claim"];
    return [`${command[i % 3]} --input ${file}`, 2, error];
  }),
  ...bundles.flatMap(([file, error]): Case[] => [
    [`run ${file} --input boot.png`, 2, error],
    [`verify ${file} --input boot.png`, 2, error],
    [`prove ${file} --input boot.png -o n.claim`, 2, error],
  ]),
  [
    "run m.clm --input boot.png --input boot.png",
    2,
    'Error: Cannot run "m": expected inputs: 1 (image), found 2\nTry: Give --input once for each, as file or name=file',
  ],
  [
    "run m.clm --input boot.png --device gpu",
    2,
    `Error: option '-d, --device <name>' argument 'gpu' is invalid. expected one of cpu, interpreter, vm, found "gpu"`,
  ],
  [
    "run m.onnx --input boot.png --device vm",
    2,
    'Error: Cannot run "m" in the machine: expected a bundle, found an ONNX file\nTry: Convert it first',
  ],
  [
    "run m.clm --input boot.png --dump node=99",
    2,
    'Error: Cannot dump "node=99": expected node=N with N below 3',
  ],
  [
    "run m.clm --input boot.png --iterations 2",
    2,
    'Error: Cannot run "m": expected 1 iterations, found 2',
  ],
  [
    "verify m.onnx --input boot.png",
    2,
    "Error: Cannot load bundle m.onnx: expected a .clm file, found another ending\nTry: Convert the model first: chainlearn convert m.onnx",
  ],
  [
    "verify m.clm --input boot.png --receipt other.receipt.json",
    2,
    'Error: Cannot read receipt other.receipt.json: expected format "chainlearn receipt 1", found another',
  ],
];

const disputes: Case[] = [
  [
    "bisect a.claim absent.claim -o n.witness",
    2,
    `Error: Cannot read claim absent.claim: expected a file, found none\n${absent}`,
  ],
  [
    "bisect a.claim cut.claim -o n.witness",
    2,
    'Error: Cannot read cut.claim: expected JSON, found "{\\"format\\":\\"chainlear"',
  ],
  [
    "bisect a.claim w.witness -o n.witness",
    2,
    'Error: Cannot read w.witness: expected format "chainlearn claim 1", found "chainlearn witness 1"',
  ],
  [
    "bisect b.claim a.claim --model flipped.clm -o n.witness",
    2,
    bundles[0][1],
  ],
  [
    "arbitrate absent.witness",
    2,
    `Error: Cannot read witness absent.witness: expected a file, found none\n${absent}`,
  ],
  [
    "arbitrate a.claim",
    2,
    'Error: Cannot read a.claim: expected format "chainlearn witness 1", found "chainlearn claim 1"',
  ],
  [
    "arbitrate cut.witness",
    2,
    'Error: Cannot read cut.witness: expected "modelRoot" of 32 bytes in hex, found nothing',
  ],
  ["nonsense", 2, "Error: unknown command 'nonsense'"],
  ["run", 2, "Error: missing required argument 'model'"],
];

async function check(folder: string, cases: readonly Case[]): Promise<void> {
  const before = filesIn(folder);
  const play = async ([command, code, error]: Case) => {
    const found = await chainlearn(folder, command.split(" "));
    assertEquals(found.err.trimEnd(), error, command);
    assertEquals(found.code, code, command);
    assert(!/^ +at /m.test(found.err), `${command}: a stack trace`);
    assertEquals(found.out, "", command);
  };
  const waiting = [...cases];
  const worker = async () => {
    for (let one = waiting.shift(); one; one = waiting.shift()) await play(one);
  };
  await Promise.all([worker(), worker(), worker()]);
  assertEquals(filesIn(folder), before, "something was written");
}

Deno.test("bad input: a named error, an exit code, nothing written", async (t) => {
  const folder = await makeFolder();
  try {
    await t.step("convert, inspect", () => check(folder, conversions));
    await t.step("run, verify, prove", () => check(folder, executions));
    await t.step("bisect, arbitrate", () => check(folder, disputes));
    await t.step("inspect: lists what is unsupported", async () => {
      const { code, out, err } = await chainlearn(folder, [
        "inspect",
        "odd.onnx",
      ]);
      assertEquals([code, err], [1, ""]);
      assertEquals(out.match(/unsupported operator/g)?.length, 3);
    });
    // The challenger claims the states of the machine: b.claim is the false one.
    await t.step(
      "arbitrate: exit code 1 for a false claim, 0 for a true one",
      async () => {
        const arbitrate = async () =>
          (await chainlearn(folder, ["arbitrate", "w.witness"])).code;
        assertEquals(await arbitrate(), 1);
        const bisect = ["bisect", "b.claim", "a.claim", "-o", "w.witness"];
        await succeeds(folder, bisect);
        assertEquals(await arbitrate(), 0);
      },
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
