/** The chain commands as a user runs them, on a chain that `devnet --up` leaves running. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("../../cli.ts", import.meta.url));
const models = fileURLToPath(
  new URL("../../models/fashion_mlp/", import.meta.url),
);
const model = join(models, "fashion_mlp.onnx");
const picture = join(models, "pictures/1-pullover.png");

type Environment = Record<string, string>;

function start(args: string[], cwd: string, env: Environment) {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", program, ...args],
    cwd,
    clearEnv: true,
    env: {
      HOME: Deno.env.get("HOME") ?? "",
      PATH: Deno.env.get("PATH") ?? "",
      ...(Deno.env.has("DENO_DIR")
        ? { DENO_DIR: Deno.env.get("DENO_DIR")! }
        : {}),
      ...env,
    },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function ended(process: Deno.ChildProcess) {
  const { code, stdout, stderr } = await process.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), err: text(stderr) };
}

const run = (args: string[], cwd: string, env: Environment = {}) =>
  ended(start(args, cwd, env));

async function json(args: string[], cwd: string, env: Environment) {
  const { code, out, err } = await run([...args, "--json"], cwd, env);
  assertEquals(code, 0, `${args.join(" ")}: ${err}`);
  return JSON.parse(out);
}

/** The variables of an .env file. */
async function environment(folder: string): Promise<Environment> {
  const text = await Deno.readTextFile(join(folder, ".env"));
  return Object.fromEntries(
    [...text.matchAll(/^(\w+)="?([^"\n]*)"?$/gm)].map(([, k, v]) => [k, v]),
  );
}

function as(env: Environment, name: "SUBMITTER" | "CHALLENGER"): Environment {
  return { ...env, CHAINLEARN_KEY: env[`CHAINLEARN_KEY_${name}`] };
}

/** What a stream has given by the time `end` is in it; the rest is not read. */
async function textUntil(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  end: string,
): Promise<string> {
  let text = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (text.includes(end)) break;
  }
  return text;
}

/** A named error of the environment or of usage, and nothing of the program's inside. */
function assertNamed(
  { code, err }: { code: number; err: string },
  expected: number,
  text: string,
): void {
  assertEquals(code, expected, err);
  assertStringIncludes(err, text);
  assert(!err.includes("    at "), err);
}

Deno.test("chain commands: from registration to a dispute that the liar loses, and a final answer", async (t) => {
  const folder = await Deno.makeTempDir();
  const up = await run(["devnet", "--up", "--model", model], folder);
  assertEquals(up.code, 0, up.err);
  const env = await environment(folder);
  const registration = env.CHAINLEARN_REGISTRATION;
  try {
    const status = await json(["status"], folder, env);
    assertEquals(status.kind, "market");
    const ask = ["request", model, registration, "--input", picture];
    const { requestId } = await json(ask, folder, env);

    await t.step(
      "submit --fault, challenge: the false answer falls",
      async () => {
        const lie = ["submit", model, requestId, "--fault", "node=1"];
        await json(lie, folder, as(env, "SUBMITTER"));
        const defence = start(
          [...lie, "--defend"],
          folder,
          as(env, "SUBMITTER"),
        );
        const report = await json(
          ["challenge", model, requestId],
          folder,
          as(env, "CHALLENGER"),
        );
        assertEquals([report.winner, report.fault.node], ["challenger", 1]);
        const { code, err } = await ended(defence);
        assertEquals(code, 1, err);
        assertStringIncludes(err, "found it rejected");
      },
    );

    await t.step(
      "submit, challenge: a true answer is not disputed",
      async () => {
        const answer = ["submit", model, requestId];
        const { label } = await json(answer, folder, as(env, "SUBMITTER"));
        assertEquals(label, "Pullover");
        const found = await json(
          ["challenge", model, requestId],
          folder,
          as(env, "CHALLENGER"),
        );
        assertEquals(found.submission, "true");
      },
    );

    await t.step(
      "finalize: too early is refused, after the period it pays",
      async () => {
        const end = ["finalize", requestId];
        assertNamed(
          await run(end, folder, as(env, "SUBMITTER")),
          2,
          "NotExpired",
        );
        const clock = await run(["devnet", "--advance", "3601"], folder, env);
        assertEquals(clock.code, 0, clock.err);
        const final = await json(end, folder, as(env, "SUBMITTER"));
        assertEquals(final.status, "final");
        assert(BigInt(final.withdrawn) > 0n);
      },
    );

    await t.step(
      "register: a stake below the floor is refused by name",
      async () => {
        const little = ["register", model, "--stake", "0.0001"];
        assertNamed(
          await run(little, folder, env),
          2,
          "--stake: expected at least",
        );
      },
    );

    await t.step(
      "status: a wrong chain is an error of the environment",
      async () => {
        const file = join(folder, "other.json");
        const deployment = JSON.parse(
          await Deno.readTextFile(env.CHAINLEARN_DEPLOYMENT),
        );
        await Deno.writeTextFile(
          file,
          JSON.stringify({ ...deployment, chainId: 1 }),
        );
        const wrong = ["status", "--deployment", file];
        assertNamed(await run(wrong, folder, env), 3, "expected chain 1");
      },
    );

    await t.step(
      "submit --defend: asks again with a note when the chain goes away",
      async () => {
        const { requestId } = await json(ask, folder, env);
        const defence = start(
          ["submit", model, requestId, "--defend"],
          folder,
          as(env, "SUBMITTER"),
        );
        const report = ["status", requestId];
        for (let i = 0; i < 40; i++) {
          const { status } = await json(report, folder, env);
          if (status === "revealed") break;
        }
        const down = await run(["devnet", "--down"], folder);
        assertEquals(down.code, 0, down.err);
        const notes = await textUntil(defence.stderr, "asking again");
        assertStringIncludes(notes, "expected an answer from");
        defence.kill();
        await Promise.all([defence.stdout.cancel(), defence.status]);
      },
    );
  } finally {
    await run(["devnet", "--down"], folder);
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("chain commands: without a chain, a node or a key they say so", async () => {
  const folder = await Deno.makeTempDir();
  const id = `0x${"11".repeat(32)}`;
  assertNamed(await run(["status", id], folder), 2, "expected a chain");
  const env = {
    CHAINLEARN_RPC_URL: "http://127.0.0.1:1",
    CHAINLEARN_DEPLOYMENT: join(folder, "d.json"),
  };
  assertNamed(await run(["status", id], folder, env), 2, "found no file");
  const address = `0x${"22".repeat(20)}`;
  await Deno.writeTextFile(
    env.CHAINLEARN_DEPLOYMENT,
    JSON.stringify({
      format: "chainlearn deployment 1",
      chainId: 31337,
      registry: address,
      machine: address,
      game: address,
      market: address,
      block: 0,
    }),
  );
  assertNamed(await run(["status", id], folder, env), 3, "http://127.0.0.1:1");
  assertNamed(await run(["finalize", id], folder, env), 2, "CHAINLEARN_KEY");
  assertNamed(
    await run(["deploy"], folder, { ...env, CHAINLEARN_KEY: "0x12" }),
    2,
    "64 hexadecimal digits",
  );
  await Deno.remove(folder, { recursive: true });
});

Deno.test("deploy: without a chain it shows the cost on one of its own", async () => {
  const folder = await Deno.makeTempDir();
  const { code, out, err } = await run(["deploy"], folder);
  assertEquals(code, 0, err);
  assertStringIncludes(out, "market");
  assertStringIncludes(err, "No chain was named");
  assertEquals((await Array.fromAsync(Deno.readDir(folder))).length, 0);
  await Deno.remove(folder);
});
