// The documents of this chat, each with a button that deletes it after asking.
import { useState } from "react";
import { FileText, Trash2 } from "lucide-react";
import { Button } from "@/components/ui/button";

function size(bytes) {
  if (bytes < 1e6) return `${Math.max(1, Math.round(bytes / 1e3))} kB`;
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function state(document) {
  if (document.status === "missing") return document.error || "its file is missing";
  if (document.status === "error") return document.error || "could not be read";
  if (document.status !== "processed") return "being read…";
  const pages = document.pages > 1 ? `${document.pages} pages, ` : "";
  return `${pages}${document.passages} passage${document.passages === 1 ? "" : "s"}, ${size(document.size)}`;
}

export default function Documents() {
  const [asking, setAsking] = useState("");
  const [busy, setBusy] = useState("");
  const documents = props.documents || [];

  async function remove(document) {
    setBusy(document.id);
    await callAction({ name: "delete_document", payload: { id: document.id } });
    setAsking("");
    setBusy("");
  }

  if (!documents.length) {
    return (
      <p className="text-sm text-muted-foreground" data-testid="documents">
        No documents in this chat yet. Attach one with the paper clip, or drop it into the window.
      </p>
    );
  }
  return (
    <ul className="flex flex-col gap-2" data-testid="documents">
      {documents.map((document) => (
        <li key={document.id} className="flex items-center gap-3 rounded border p-3">
          <FileText className="h-5 w-5 shrink-0 text-muted-foreground" />
          <div className="flex-grow">
            <div className="text-sm font-medium break-all">{document.name}</div>
            <div className="text-xs text-muted-foreground">{state(document)}</div>
          </div>
          {asking === document.id ? (
            <div className="flex gap-1">
              <Button
                size="sm"
                variant="destructive"
                disabled={busy === document.id}
                onClick={() => remove(document)}
              >
                Delete
              </Button>
              <Button size="sm" variant="ghost" onClick={() => setAsking("")}>
                Keep
              </Button>
            </div>
          ) : (
            <Button
              size="icon"
              variant="ghost"
              aria-label={`Delete ${document.name}`}
              onClick={() => setAsking(document.id)}
            >
              <Trash2 className="h-4 w-4" />
            </Button>
          )}
        </li>
      ))}
    </ul>
  );
}
