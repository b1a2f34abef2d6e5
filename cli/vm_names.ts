/** Names of the subcommands of `vm`, apart from their code so that the completion script starts fast. */

/** In the order of the help. */
export const vmSubcommands = ["run", "trace", "step", "debug"] as const;
