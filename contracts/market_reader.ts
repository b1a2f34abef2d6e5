/**
 * What a deployment says about requests, submissions, disputes and money: reads only, each at the newest block.
 */
import { type Address, type Hex, numberToHex, zeroHash } from "viem";
import { ChainLearnError } from "../fpvm/mod.ts";
import type { Connection } from "./connection.ts";
import type { Deployment } from "./deploy.ts";
import { gameAbi } from "./game_abi.ts";
import { decodeGameEvent, viewsOf } from "./game_events.ts";
import type { DisputeView } from "./game_view.ts";
import { marketAbi, registryAbi } from "./market_abi.ts";
import {
  type DisputeState,
  type Limits,
  type RegistrationTerms,
  type RequestReport,
  type RequestState,
  requestStatuses,
  type SubmissionState,
  submissionStatuses,
} from "./market_types.ts";

/** The reads of a market; every function throws for an id that the market does not know. */
export interface MarketReader {
  limits(): Promise<Limits>;
  terms(registrationId: Hex): Promise<RegistrationTerms>;
  /** A registration's model root, registrant and preimage. */
  registration(
    registrationId: Hex,
  ): Promise<{ modelRoot: Hex; registrant: Address; preimage: Hex }>;
  requestState(requestId: Hex): Promise<RequestState>;
  submissionState(submissionId: Hex): Promise<SubmissionState>;
  disputeState(disputeId: Hex): Promise<DisputeState>;
  /** The dispute as its events tell it. */
  dispute(disputeId: Hex): Promise<DisputeView>;
  /** Request, live submission, outputs and latest end together. */
  status(requestId: Hex): Promise<RequestReport>;
  /** Wei that `account` may withdraw. */
  credits(account: Address): Promise<bigint>;
  burned(): Promise<bigint>;
  /** Wei per gas, as the node sees it now. */
  gasPrice(): Promise<bigint>;
}

function known(status: number, what: string, id: Hex): void {
  if (status !== 0) return;
  throw new ChainLearnError(
    `Cannot read ${what} ${id}: expected one that the market knows, found none`,
    { hint: "Check the id and the chain." },
  );
}

/** Reads from the deployment over `connection`. */
export function createMarketReader(
  connection: Connection,
  deployment: Deployment,
): MarketReader {
  const { reader } = connection;
  const market = { address: deployment.market, abi: marketAbi } as const;
  const registry = { address: deployment.registry, abi: registryAbi } as const;
  const game = { address: deployment.game, abi: gameAbi } as const;

  const requestState = (requestId: Hex): Promise<RequestState> =>
    connection.ask("read the request", async () => {
      const found = await reader.readContract({
        ...market,
        functionName: "getRequest",
        args: [requestId],
      });
      known(found.status, "request", requestId);
      return { ...found, status: requestStatuses[found.status] };
    });
  const submissionState = (submissionId: Hex): Promise<SubmissionState> =>
    connection.ask("read the submission", async () => {
      const found = await reader.readContract({
        ...market,
        functionName: "getSubmission",
        args: [submissionId],
      });
      known(found.status, "submission", submissionId);
      return { ...found, status: submissionStatuses[found.status] };
    });

  const dispute = (disputeId: Hex): Promise<DisputeView> =>
    connection.ask("read the dispute's events", async () => {
      const logs = await reader.request({
        method: "eth_getLogs",
        params: [{
          address: deployment.game,
          topics: [null, disputeId],
          fromBlock: numberToHex(deployment.block),
        }],
      });
      const view = viewsOf(logs.map(decodeGameEvent)).get(disputeId);
      known(view === undefined ? 0 : 1, "dispute", disputeId);
      return view!;
    });

  return {
    requestState,
    submissionState,
    gasPrice: () =>
      connection.ask("read the gas price", () => reader.getGasPrice()),
    limits: () =>
      connection.ask(
        "read the limits",
        () => reader.readContract({ ...registry, functionName: "limits" }),
      ),
    terms: (registrationId) =>
      connection.ask("read the registration", () =>
        reader.readContract({
          ...registry,
          functionName: "parameters",
          args: [registrationId],
        })),
    registration: (registrationId) =>
      connection.ask("read the registration", async () => {
        const [{ modelRoot, registrant }, preimage] = await reader.readContract(
          {
            ...registry,
            functionName: "registration",
            args: [registrationId],
          },
        );
        return { modelRoot, registrant, preimage };
      }),
    disputeState: (disputeId) =>
      connection.ask("read the dispute", async () => {
        const transcript = await reader.readContract({
          ...game,
          functionName: "transcripts",
          args: [disputeId],
        });
        known(transcript === zeroHash ? 0 : 1, "dispute", disputeId);
        const { terms } = await dispute(disputeId);
        const { submissionId, challenger, index } = terms;
        // The game's numbers of ended disputes; anything else is the hash of one that goes on.
        const ended = ["won", "lost", "returned"] as const;
        const status = ended.find((_, i) =>
          BigInt(transcript) === BigInt(i + 1)
        ) ?? "open";
        return { status, submissionId, challenger, index };
      }),
    dispute,
    status: async (requestId) => {
      const state = await requestState(requestId);
      const live = BigInt(state.submissionId) !== 0n;
      return await connection.ask("read the status", async () => {
        const [[, , outputs], latestEnd] = await Promise.all([
          reader.readContract({
            ...market,
            functionName: "result",
            args: [requestId],
          }),
          reader.readContract({
            ...market,
            functionName: "latestEnd",
            args: [requestId],
          }),
        ]);
        return {
          request: state,
          submission: live
            ? await submissionState(state.submissionId)
            : undefined,
          outputs,
          latestEnd: Number(latestEnd),
        };
      });
    },
    credits: (account) =>
      connection.ask("read the credit", () =>
        reader.readContract({
          ...market,
          functionName: "credits",
          args: [account],
        })),
    burned: () =>
      connection.ask(
        "read what is burned",
        () => reader.readContract({ ...market, functionName: "burned" }),
      ),
  };
}
