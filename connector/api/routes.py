"""What a route is, and how one is declared.

A module of the API makes one `Resource` and decorates its views::

    practitioners = Resource("practitioners", writes=(Scope.ADMIN,))

    @practitioners.get(
        "/practitioners/<uuid:practitioner_id>",
        scope=Scope.READ,
        answers={200: PractitionerBody},
        summary="Read a practitioner",
        refuses=("practitioner_not_found",),
    )
    def show(call: Call[None, None], db: Connection, practitioner_id: UUID) -> Answer:
        ...

A view gets the `Call` (body and query already read, as `Call[Body, Query]` says), one database transaction and what its
path names, and returns an `Answer`, or a struct, which is answered with 200. A GET reads from a snapshot; everything
else writes in one transaction, which is rolled back if the view raises. Refusals are raised as `RuleError`.

What must be asked of a calendar service is asked before, in `prepare=`: a function that gets the call and what the path
names, and whose result is `call.prepared`. No transaction is open meanwhile.

`edits=True` says that it changes something which has a version: the view locks it and then calls `call.match(version)`;
where no If-Match is sent, nobody is asked. `lists=True`: the query has `limit` and `cursor`, and `call.cursor` pages.

`fields` says where in the body the inputs are that refusals are about, by their `field`; a field of the body's own name
needs no word. `refuses` are the codes it may give beside those that every route may; see `description`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from connector.domain.api_key import Scope

View = TypeVar("View", bound=Callable[..., Any])
Prepare = Callable[..., Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method of one path: who may call it, what it takes and answers.

    Attributes:
        name: Unique; the `operationId` of the description.
        path: As Flask writes it, within the API.
        scopes: Any of these lets a key in.
        body: The struct that a request must be; None where it must be empty.
        query: Likewise behind the question mark.
        answers: The struct that is answered, by status; None for an empty answer.
        example: What could be sent.
        refuses: The codes of its own refusals.
    """

    name: str
    tag: str
    method: str
    path: str
    view: Callable[..., Any]
    scopes: frozenset[Scope]
    answers: Mapping[int, type[msgspec.Struct] | None]
    summary: str
    body: type[msgspec.Struct] | None = None
    query: type[msgspec.Struct] | None = None
    example: msgspec.Struct | None = None
    refuses: Sequence[str] = ()
    prepare: Prepare | None = None
    edits: bool = False
    lists: bool = False
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def writes(self) -> bool:
        """Whether it may change anything."""
        return self.method != "GET"

    @property
    def matches(self) -> bool:
        """Whether If-Match is read: for every edit, and for what may go by an external id already."""
        return self.edits or (self.method == "PUT" and "/by-external-id/" in self.path)

    @property
    def compares(self) -> bool:
        """Whether If-None-Match is read: for everything that is read but lists, which go on by a cursor."""
        return self.method == "GET" and not self.lists

    @property
    def pointers(self) -> Mapping[str, str]:
        """Where the inputs are that refusals are about, by `field`."""
        own: list[str] = [
            one.encode_name
            for kind in (self.body, self.query)
            if kind is not None
            for one in msgspec.structs.fields(kind)
        ]
        return {**{name: f"/{name}" for name in own}, **self.fields}


class Resource:
    """The routes about one kind of thing.

    Args:
        name: What they are called in the description.
        writes: Which scopes write it; they may read it, too.
    """

    def __init__(self, name: str, *, writes: Sequence[Scope]) -> None:
        self.name = name
        self.routes: list[Route] = []
        self._writes = frozenset(writes)

    def get(self, path: str, *, scope: Scope, **declared: Any) -> Callable[[View], View]:
        """Declare a view that reads; besides `scope`, who may write this kind of thing may read it."""
        return self._declared("GET", path, frozenset({scope}) | self._writes, declared)

    def post(self, path: str, *, scope: Scope, **declared: Any) -> Callable[[View], View]:
        """Declare a view that makes something, or does an act."""
        return self._declared("POST", path, frozenset({scope}), declared)

    def put(self, path: str, *, scope: Scope, **declared: Any) -> Callable[[View], View]:
        """Declare a view that makes something as it is told, whatever it was."""
        return self._declared("PUT", path, frozenset({scope}), declared)

    def patch(self, path: str, *, scope: Scope, **declared: Any) -> Callable[[View], View]:
        """Declare a view that changes what is given."""
        return self._declared("PATCH", path, frozenset({scope}), declared)

    def delete(self, path: str, *, scope: Scope, **declared: Any) -> Callable[[View], View]:
        """Declare a view that ends something."""
        return self._declared("DELETE", path, frozenset({scope}), declared)

    def _declared(
        self, method: str, path: str, scopes: frozenset[Scope], declared: Mapping[str, Any]
    ) -> Callable[[View], View]:
        def declare(view: View) -> View:
            name = f"{self.name}.{view.__name__}"
            self.routes.append(
                Route(name=name, tag=self.name, method=method, path=path, view=view, scopes=scopes, **declared)
            )
            return view

        return declare
