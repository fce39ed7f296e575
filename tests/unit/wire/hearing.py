"""A client's side of a call that only listens."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Raw

from vsm_mcp.wire.dialogue import Question


class Hearing:
    """Passes notifications to ``listen`` and refuses every question but those that ``answers`` answers, by method."""

    def __init__(
        self,
        listen: Callable[[str, Raw], object] = lambda _method, _params: None,
        *,
        client: str = "one",
        answers: Mapping[str, bytes] | None = None,
        log_level: str = "",
    ) -> None:
        self.client = client
        self.capabilities: Mapping[str, object] = {}
        self.log_level = log_level
        self.wants_progress = True
        self.questions: list[Question] = []
        self._listen = listen
        self._answers = answers or {}

    def notified(self, method: str, params: Raw) -> None:
        self._listen(method, params)

    def asked(self, question: Question) -> None:
        self.questions.append(question)
        answer = self._answers.get(question.method)
        if answer is None:
            question.refuse(-32601, "Method not found")
        else:
            question.answer(answer)
