/**
 * What a deployment says about requests, submissions, disputes and money: reads only, each at the newest block.
 */
import type { Address, Hex } from "viem";
import { ChainLearnError } from "../fpvm/mod.ts";
import type { Connection } from "./connection.ts";
import type { Deployment } from "./deploy.ts";
import { marketAbi, registryAbi } from "./market_abi.ts";
import {
  type DisputeState,
  disputeStatuses,
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
        const found = await reader.readContract({
          ...market,
          functionName: "getDispute",
          args: [disputeId],
        });
        known(found.status, "dispute", disputeId);
        return { ...found, status: disputeStatuses[found.status] };
      }),
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
