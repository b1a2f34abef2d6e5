/** `chainlearn completion`: a script that completes command names in a shell. */
import type { Command } from "commander";
import { ChainLearnError } from "../fpvm/mod.ts";
import { commands } from "./main.ts";

const scripts: Record<string, (names: string) => string> = {
  bash: (names) =>
    `_chainlearn() { if [ "$COMP_CWORD" = 1 ]; then COMPREPLY=($(compgen -W "${names}" -- "\${COMP_WORDS[1]}")); else COMPREPLY=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}")); fi; }\ncomplete -o filenames -F _chainlearn chainlearn`,
  zsh: (names) =>
    `#compdef chainlearn\n_chainlearn() { if (( CURRENT == 2 )); then compadd ${names}; else _files; fi; }\ncompdef _chainlearn chainlearn`,
  fish: (names) =>
    `complete -c chainlearn -n __fish_use_subcommand -f -a "${names}"`,
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
      console.log(script(Object.keys(commands).join(" ")));
    });
}
