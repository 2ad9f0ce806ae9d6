"""``program-help``: what the program says with --help, and each of its commands."""

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from tinygrad_lstm.cli.main import COMMANDS, command_line


class ProgramHelp(SphinxDirective):
    """A section for the program and one for each command, each with its help."""

    def run(self):
        return [
            section(" ".join(("tinygrad-lstm", *words)), help_of(words))
            for words in ([], *([command.name] for command in COMMANDS))
        ]


def help_of(words):
    parser = command_line()
    for word in words:
        parser = parser._subparsers._group_actions[0].choices[word]
    return parser.format_help()


def section(title, text):
    found = nodes.section(ids=[nodes.make_id(title)])
    found += nodes.title(text=title)
    found += nodes.literal_block(text, text, language="text")
    return found


def setup(app):
    app.add_directive("program-help", ProgramHelp)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
