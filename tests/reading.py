"""A reader of printed formulas: it knows the conventions of mathematics, and nothing of how the
formulas came to be."""

import re

import numpy as np

import tinygrad_lstm as tg

TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?(?:e[+−]?\d+)?j?)|(?P<sum>Σ_[nmkj]+|Σ)|(?P<shape>ones|zeros|full)(?=\()|(?P<call>[a-zA-Zσ√_0-9]+)(?=\()"
    r"|(?P<word>[a-zA-Z_]\w*|'[^']*')|(?P<sign>[−+∘·/()\[\],:=|²ᵀ^<>≤≥≠∧∨¬⊗]))"
)


def begins(text, name):
    """Whether `text` begins with a name that ends there."""
    end = text[len(name) : len(name) + 1]
    inside = (end.isalnum() and end not in "²ᵀ") or (end and end in "_=(")
    return text.startswith(name) and not (name[-1:].isalnum() and inside)


class Reader:
    """The value of a printed formula. `values` has the numbers behind the names."""

    def __init__(self, text, values):
        self.values, self.tokens, at = values, [], 0
        names = sorted(values, key=len, reverse=True)
        while at < len(text.rstrip()):
            start = at + len(text[at:]) - len(text[at:].lstrip())
            name = next((n for n in names if begins(text[start:], n)), None)
            if name:
                self.tokens.append(("name", name))
                at = start + len(name)
                continue
            found = TOKEN.match(text, at)
            assert found, text[at:]
            self.tokens.append((found.lastgroup, found[found.lastgroup]))
            at = found.end()
        self.tokens.append(("end", ""))

    def read(self):
        value = self.relation()
        assert self.tokens == [("end", "")], self.tokens
        return value

    def take(self, *wanted):
        return (
            self.tokens.pop(0)[1]
            if self.tokens[0][1] in wanted and self.tokens[0][0] in ("sign", "sum")
            else None
        )

    def relation(self):
        left = self.sum()
        compare = {
            ">": np.greater,
            "<": np.less,
            "≤": np.less_equal,
            "≥": np.greater_equal,
            "=": np.equal,
            "≠": np.not_equal,
        }
        while sign := self.take(*compare, "∧", "∨"):
            left = {**compare, "∧": np.logical_and, "∨": np.logical_or}[sign](left, self.sum())
        return left

    def sum(self):
        total = self.term()
        while sign := self.take("+", "−"):
            total = total + self.term() if sign == "+" else total - self.term()
        return total

    def term(self):
        if self.take("−"):
            return -self.term()
        if self.tokens[0][0] == "sum":  # over what follows, up to the next plus or minus
            letters = self.tokens.pop(0)[1][2:]
            if not letters:
                return np.sum(self.term())
            value = self.postfix(stop=True)
            assert self.take("[")
            axes = tuple(i for i, part in enumerate(self.until("]")) if part in letters)
            return np.sum(value, axis=axes)
        value = self.product()
        while sign := self.take("∘", "·", "/"):
            other = self.product()
            value = value / other if sign == "/" else value * other
        return value

    def product(self):
        value = self.postfix()
        while self.tokens[0][0] in ("name", "number", "call", "shape") or self.tokens[0][1] in (
            "(",
            "[",
        ):
            value = value @ self.postfix()
        while self.take("⊗"):
            value = np.outer(value, self.product())
        return value

    def postfix(self, stop=False):
        value = self.atom()
        while self.tokens[0][1] in ("²", "ᵀ", "^", "[") and not (stop and self.tokens[0][1] == "["):
            sign = self.tokens.pop(0)[1]
            if sign == "[":
                value = value[tuple(self.position(part) for part in self.until("]"))]
            else:
                value = (
                    value**2 if sign == "²" else value.T if sign == "ᵀ" else value ** self.atom()
                )
        return value

    def until(self, closing):
        """The parts of an index, as text."""
        parts, depth = [""], 0
        while self.tokens[0][1] != closing or depth:
            _, text = self.tokens.pop(0)
            depth += {"(": 1, ")": -1}.get(text, 0)
            parts = [*parts, ""] if text == "," and not depth else [*parts[:-1], parts[-1] + text]
        self.tokens.pop(0)
        return parts

    def position(self, part):
        if part in self.values:
            return self.values[part]
        pieces = [int(p.replace("−", "-")) if p else None for p in part.split(":")]
        return slice(*pieces) if ":" in part else pieces[0]

    def atom(self):
        kind, text = self.tokens.pop(0)
        if kind == "name":
            return self.values[text]
        if kind == "number":
            return complex(text) if text.endswith("j") else float(text.replace("−", "-"))
        if text == "(":
            value = self.relation()
            assert self.take(")")
            return value
        assert kind in ("call", "shape"), (kind, text)
        assert self.take("(")
        if text == "scatter":
            return self.scatter()
        arguments, options = self.arguments()
        if text == "swapaxes":
            return np.swapaxes(arguments[0], *map(int, arguments[1:]))
        if text == "full":
            return np.full(*arguments)
        if kind == "shape":
            return getattr(np, text)(tuple(int(n) for n in arguments))
        if text == "astype":
            return arguments[0].astype(options["dtype"])
        if text == "einsum":
            return np.einsum(options["subscripts"].strip("'"), *arguments)
        if text == "one_hot":
            return np.eye(options["count"])[arguments[0]]
        function = {
            "σ": lambda x: 1 / (1 + np.exp(-x)),
            "√": np.sqrt,
            "where": np.where,
            "reshape": np.reshape,
            "broadcast_to": np.broadcast_to,
        }
        return function.get(text, getattr(np, text, None) or getattr(tg, text, None))(
            *arguments, **options
        )

    def scatter(self):
        value = self.relation()
        assert self.take(",") and self.take("[")
        key = tuple(self.position(part) for part in self.until("]"))
        assert self.take(",")
        total = np.zeros(self.tuple())
        np.add.at(total, key, value)
        assert self.take(")")
        return total

    def arguments(self):
        """What stands in the brackets of a function: formulas and shapes, and options by
        keyword."""
        found, options = [], {}
        while not self.take(")"):
            if self.tokens[0][0] == "word" and self.tokens[1][1] == "=":
                (_, name), _, *self.tokens = self.tokens
                if self.tokens[0][1] == "(":
                    options[name] = self.tuple()
                    self.take(",")
                    continue
                sign, text = self.take("−"), self.tokens.pop(0)[1]
                options[name] = {"True": True, "False": False}.get(
                    text, int(f"-{text}" if sign else text) if text.isdecimal() else text
                )
            else:
                found.append((self.tokens[0][1] == "(" and self.tuple()) or self.relation())
            self.take(",")
        return found, options

    def tuple(self):
        """A shape such as (2, 3) or (4,), or None where the bracket holds a formula."""
        text = " ".join(token for _, token in self.tokens)
        match = re.match(r"\( ((?:(?:− )?\d+ , )*(?:(?:− )?\d+ )?)\)", text)
        if not match or "," not in match[1]:
            return None
        del self.tokens[: len(match[0].split())]
        return tuple(int(n.replace("− ", "-")) for n in re.findall(r"(?:− )?\d+", match[1]))
