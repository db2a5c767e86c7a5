"""A server with the GraphQL answers that the public API of `wandb` needs to read a project."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PAGE = 20
"""Runs per page, fewer than are asked for."""


def run_node(name: str, config: Mapping[str, Any], history: Sequence[Mapping[str, Any]], **more: Any) -> dict[str, Any]:
    """Return a run as the server describes it. Its summary has the last logged values."""
    rows = [{"_step": step, **row} for step, row in enumerate(history)]
    summary = {key: value for row in rows for key, value in row.items()} | more.pop("summary", {})
    keys = {key: {"typeCounts": [{"type": "number", "count": len(rows)}]} for row in rows for key in row}
    return {
        "id": name, "projectId": "7", "name": name, "displayName": name, "state": "finished", "tags": [],
        "config": json.dumps({key: {"value": value} for key, value in config.items()}), "group": None, "jobType": None,
        "sweepName": None, "commit": None, "readOnly": False, "createdAt": "2026-01-01T00:00:00",
        "heartbeatAt": "2026-01-01T00:00:00", "description": "", "notes": "", "systemMetrics": "{}",
        "summaryMetrics": json.dumps(summary), "historyLineCount": len(rows), "user": {"name": "a", "username": "a"},
        "historyKeys": {"keys": keys, "lastStep": len(rows) - 1, "sets": []} if rows else None, "rows": rows, **more,
    }  # fmt: skip


@contextmanager
def wandb_server(projects: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[str]:
    """Serve projects (`entity/name`) with runs of `run_node`, and yield the address."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *arguments: Any) -> None:
            """Print nothing."""

        def do_GET(self) -> None:
            self.send_error(404)

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers.get("content-length") or 0))
            asked = json.loads(content) if content else {"query": ""}
            answer = json.dumps({"data": answer_to(asked["query"], asked.get("variables") or {}, projects)}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def answer_to(query: str, asked: Mapping[str, Any], projects: Mapping[str, Sequence[Mapping[str, Any]]]) -> Any:
    if "viewer" in query:
        teams: dict[str, Any] = {"edges": []}
        return {"viewer": {"id": "1", "entity": "lab", "username": "a", "email": "a@b", "flags": "{}", "teams": teams}}
    runs = projects.get(f"{asked.get('entity')}/{asked.get('project')}")
    if runs is None:
        return {"project": None}
    if "query Runs(" in query:
        begin = int(asked["cursor"] or 0)
        edges = [
            {"node": {key: value for key, value in run.items() if key != "rows"}, "cursor": str(begin + number + 1)}
            for number, run in enumerate(runs[begin : begin + PAGE])
        ]
        page = {"endCursor": str(begin + len(edges)), "hasNextPage": begin + PAGE < len(runs)}
        return {"project": {"internalId": "7", "runCount": len(runs), "runs": {"edges": edges, "pageInfo": page}}}
    run = next(run for run in runs if run["name"] in (asked.get("name"), asked.get("run"), asked.get("runName")))
    return {"project": {"run": {
        "historyKeys": run["historyKeys"],
        "parquetHistory": {"parquetUrls": [], "liveData": [{"_step": row["_step"]} for row in run["rows"]]},
        "sampledHistory": [sampled(run["rows"], json.loads(asked["spec"]))] if "spec" in asked else [],
    }}}  # fmt: skip


def sampled(rows: Sequence[Mapping[str, Any]], spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows that have all keys of a specification, with these."""
    keys = spec["keys"]
    return [
        {key: row[key] for key in keys}
        for row in rows
        if row.keys() >= set(keys) and spec["minStep"] <= row["_step"] <= spec["maxStep"]
    ]
