/** A node between clients and a chain that fails on demand, as nodes behind the internet do. */

/** Decides over one JSON-RPC call by its method: true means no answer. */
export type Failing = (method: string) => boolean;

export interface NodeProxy extends AsyncDisposable {
  readonly rpcUrl: string;
  /** Which calls fail from now on; none to begin with. */
  failing: Failing;
  /** Calls that were answered, by method. */
  readonly answered: Map<string, number>;
}

/** Stands in front of the node at `target`. */
export function startNodeProxy(target: string): NodeProxy {
  const answered = new Map<string, number>();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const body = await request.text();
      const { method } = JSON.parse(body);
      if (proxy.failing(method)) {
        return new Response("out of order", { status: 503 });
      }
      answered.set(method, (answered.get(method) ?? 0) + 1);
      const headers = { "content-type": "application/json" };
      const reply = await fetch(target, { method: "POST", body, headers });
      return new Response(await reply.text(), { headers });
    },
  );
  const proxy: NodeProxy = {
    rpcUrl: `http://127.0.0.1:${server.addr.port}`,
    failing: () => false,
    answered,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
  return proxy;
}
