// The documents of this chat, each with a button that deletes it after asking.
import { useState } from "react";
import { FileText, Trash2 } from "lucide-react";
import { Button } from "@/components/ui/button";

export default function Documents() {
  const [asking, setAsking] = useState("");
  const [busy, setBusy] = useState("");
  const documents = props.documents || [];
  const texts = props.texts || {};

  async function remove(document) {
    setBusy(document.id);
    await callAction({ name: "delete_document", payload: { id: document.id } });
    setAsking("");
    setBusy("");
  }

  if (!documents.length) {
    return (
      <p className="text-sm text-muted-foreground" data-testid="documents">
        {texts.none}
      </p>
    );
  }
  return (
    <ul className="flex flex-col gap-2" data-testid="documents">
      {documents.map((document) => (
        <li key={document.id} className="flex items-center gap-3 rounded border p-3">
          <FileText className="h-5 w-5 shrink-0 text-muted-foreground" />
          <div className="flex-grow">
            <div className="text-sm font-medium break-all" dir="auto">{document.name}</div>
            <div className="text-xs text-muted-foreground">{document.state}</div>
          </div>
          {asking === document.id ? (
            <div className="flex gap-1">
              <Button
                size="sm"
                variant="destructive"
                disabled={busy === document.id}
                onClick={() => remove(document)}
              >
                {texts.delete}
              </Button>
              <Button size="sm" variant="ghost" onClick={() => setAsking("")}>
                {texts.keep}
              </Button>
            </div>
          ) : (
            <Button
              size="icon"
              variant="ghost"
              aria-label={document.remove}
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
