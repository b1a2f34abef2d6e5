/** `chainlearn completion`: a script that completes command names in a shell. */
import type { Command } from "commander";
import { ChainLearnError } from "../fpvm/mod.ts";
import { commands } from "./main.ts";
import { vmSubcommands } from "./vm_names.ts";

/** Names of the commands and of vm's subcommands, apart by spaces. */
const scripts: Record<string, (names: string, vm: string) => string> = {
  bash: (names, vm) =>
    `_chainlearn() { if [ "$COMP_CWORD" = 1 ]; then COMPREPLY=($(compgen -W "${names}" -- "\${COMP_WORDS[1]}")); elif [ "$COMP_CWORD" = 2 ] && [ "\${COMP_WORDS[1]}" = vm ]; then COMPREPLY=($(compgen -W "${vm}" -- "\${COMP_WORDS[2]}")); else COMPREPLY=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}")); fi; }\ncomplete -o filenames -F _chainlearn chainlearn`,
  zsh: (names, vm) =>
    `#compdef chainlearn\n_chainlearn() { if (( CURRENT == 2 )); then compadd ${names}; elif (( CURRENT == 3 )) && [[ $words[2] == vm ]]; then compadd ${vm}; else _files; fi; }\ncompdef _chainlearn chainlearn`,
  fish: (names, vm) =>
    `complete -c chainlearn -n __fish_use_subcommand -f -a "${names}"\ncomplete -c chainlearn -n "__fish_seen_subcommand_from vm; and not __fish_seen_subcommand_from ${vm}" -f -a "${vm}"`,
};

/** Adds the command's argument. */
export function define(command: Command): void {
  command
    .argument("<shell>", Object.keys(scripts).join(", "))
    .addHelpText("after", "\nExample:\n  source <(chainlearn completion bash)")
    .action((shell: string) => {
      const script = Object.hasOwn(scripts, shell) ? scripts[shell] : undefined;
      if (!script) {
        throw new ChainLearnError(
          `Cannot complete for "${shell}": expected ${
            Object.keys(scripts).join(", ")
          }`,
        );
      }
      const names = Object.keys(commands).join(" ");
      console.log(script(names, vmSubcommands.join(" ")));
    });
}
