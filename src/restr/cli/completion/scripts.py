"""Scripts for bash, zsh and fish. They hold all words, so completing starts no Python."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Sequence

from restr.cli.completion.pages import HelpOption, HelpPage

_WIDEST = 90  # letters of a text beside a word


def bash_script(pages: Sequence[HelpPage]) -> str:
    """For bash 4.4 and later, with or without the package bash-completion."""
    lines = [
        _HEAD.format(shell="bash"),
        "_restr() {",
        "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} place=$COMP_CWORD",
        "    local verb=${COMP_WORDS[1]} options= values= files=yes",
        "    COMPREPLY=()",
        '    if [[ $word == "=" ]]; then word=; elif [[ $before == "=" ]]; then before=${COMP_WORDS[COMP_CWORD-2]}; fi',
    ]
    for page in pages:
        if page.words and page.verbs:
            lines += [f'    if [[ $verb == {page.words[0]} && $place -gt 2 ]]; then verb+=" ${{COMP_WORDS[2]}}"; fi']
    lines += ["    if (( place == 1 )); then verb=; fi", '    case "$verb" in']
    for page in pages:
        lines += [f"    {shlex.quote(' '.join(page.words))})", *_bash_case(page), "        ;;"]
    lines += [
        "    esac",
        '    if [[ -n $values ]]; then COMPREPLY=($(compgen -W "$values" -- "$word"))',
        '    elif [[ $word == -* ]]; then COMPREPLY=($(compgen -W "$options" -- "$word"))',
        "    elif [[ -n $files ]]; then return",  # readline completes file names, with its own quoting
        "    fi",
        "    compopt +o default +o bashdefault 2>/dev/null",
        "}",
        "complete -o default -o bashdefault -F _restr restr",
    ]
    return "\n".join(lines) + "\n"


def _bash_case(page: HelpPage) -> list[str]:
    names = [name for option in page.options for name in option.names]
    lines = [f"        options={shlex.quote(' '.join([*names, *([] if page.verbs else ['--config'])]))}"]
    if page.verbs or page.choices:
        lines += [f"        values={shlex.quote(' '.join(page.verbs or page.choices))}"]
        if page.choices:
            lines += ["        if [[ $word == -* ]]; then values=; fi"]
    cases = []
    for option in page.options:
        if option.choices:
            cases.append(f"            {'|'.join(option.names)}) values={shlex.quote(' '.join(option.choices))} ;;")
    asked = [
        name
        for option in page.options
        if option.value and not option.choices and not option.is_path
        for name in option.names
    ]
    paths = [name for option in page.options if option.is_path for name in option.names]
    if asked:
        cases.append(f"            {'|'.join(asked)}) values= files= options= ;;")
    if paths and page.choices:
        cases.append(f"            {'|'.join(paths)}) values= ;;")
    return [*lines, '        case "$before" in', *cases, "        esac"] if cases else lines


def zsh_script(pages: Sequence[HelpPage]) -> str:
    """For zsh's completion system, as a file ``_restr`` of ``fpath`` or evaluated."""
    lines = ["#compdef restr", _HEAD.format(shell="zsh")]
    for page in pages:
        lines += [f"{_zsh_function(page.words)}() {{", *(_zsh_verbs(page) if page.verbs else _zsh_options(page)), "}"]
    lines += ['if [[ $funcstack[1] == _restr ]]; then _restr "$@"; else compdef _restr restr; fi']
    return "\n".join(lines) + "\n"


def _zsh_function(words: Iterable[str]) -> str:
    return "_".join(["_restr", *(word.replace("-", "_") for word in words)])


def _zsh_verbs(page: HelpPage) -> list[str]:
    listed = [f"        {shlex.quote(f'{verb}:{text}')}" for verb, text in page.verbs.items()]
    cases = [f"        {verb}) {_zsh_function([*page.words, verb])} ;;" for verb in page.verbs]
    return [
        "    local -a verbs=(", *listed, "    )",
        "    if (( CURRENT == 2 )); then _describe verb verbs; return; fi",
        "    shift words; (( CURRENT-- ))",
        "    case $words[1] in", *cases, "    esac",
    ]  # fmt: skip


def _zsh_options(page: HelpPage) -> list[str]:
    rows = [_zsh_option(name, option) for option in page.options for name in option.names]
    rows.append("--config[options from a JSON, TOML or YAML file]:FILE:_files")
    rows.append(f"*:value:({' '.join(page.choices)})" if page.choices else "*:file:_files")
    return ["    _arguments -S \\", " \\\n".join(f"        {shlex.quote(row)}" for row in rows)]


def _zsh_option(name: str, option: HelpOption) -> str:
    text = _short(option.text)
    for letter in "\\[]:":
        text = text.replace(letter, f"\\{letter}")
    row = f"{'*' if option.repeatable else ''}{name}{'=' if option.value else ''}[{text}]"
    if option.choices:
        return f"{row}:value:({' '.join(option.choices)})"
    if option.value:
        return f"{row}:value:{'_files' if option.is_path else ' '}"
    return row


def fish_script(pages: Sequence[HelpPage]) -> str:
    """For fish 3."""
    lines = [_HEAD.format(shell="fish"), _FISH]
    for page in pages:
        words = " ".join(page.words)
        for verb, text in page.verbs.items():
            lines.append(_fish(f"__restr_next {words}".strip(), "-f", "-a", verb, "-d", text))
        if page.choices:
            lines.append(_fish(f"__restr_in {words}", "-f", "-a", " ".join(page.choices)))
        for option in page.options:
            takes = ["-x", "-a", " ".join(option.choices)] if option.choices else ["-x"] if option.value else []
            takes = ["-r", "-F"] if option.is_path and not option.choices else takes
            for name in option.names:
                lines.append(_fish(f"__restr_in {words}", "-l", name[2:], *takes, "-d", _short(option.text)))
        if not page.verbs:
            lines.append(_fish(f"__restr_in {words}", "-l", "config", "-r", "-F", "-d", "options from a file"))
    return "\n".join(lines) + "\n"


def _fish(condition: str, *words: str) -> str:
    quoted = ("'" + word.replace("\\", "\\\\").replace("'", "\\'") + "'" for word in words)
    options = (word if word.startswith("-") else text for word, text in zip(words, quoted, strict=True))
    return f"complete -c restr -n '{condition}' {' '.join(options)}"


def _short(text: str) -> str:
    """A text that fits beside a word."""
    return text if len(text) <= _WIDEST else f"{text[:_WIDEST].rpartition(' ')[0]} ..."


_HEAD = "# Completes the words of restr. Written by: restr completion {shell}"
_FISH = """function __restr_in -d 'whether these verbs are typed'
    set -l words (commandline -opc)
    set -l last (math (count $argv) + 1)
    test (count $words) -ge $last; and test "$words[2..$last]" = "$argv"
end
function __restr_next -d 'whether a verb comes next, after these'
    set -l words (commandline -opc)
    test (count $words) -eq (math (count $argv) + 1); or return
    test (count $argv) -eq 0; or test "$words[2..]" = "$argv"
end
complete -c restr -n __restr_next -f"""

SCRIPTS: dict[str, Callable[[Sequence[HelpPage]], str]] = {
    "bash": bash_script,
    "zsh": zsh_script,
    "fish": fish_script,
}
