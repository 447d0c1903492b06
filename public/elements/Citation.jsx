// The source of one citation: the page of a PDF with the words marked, or the text around them.
import { useEffect, useRef, useState } from "react";
import { ChevronLeft, ChevronRight, Download } from "lucide-react";
import { Button } from "@/components/ui/button";

const CONTEXT = 1500; // characters shown before and after the quote in documents without pages

// Elements that lie hidden under another one load nothing until they are shown.
function useShown() {
  const box = useRef(null);
  const [shown, setShown] = useState(false);
  useEffect(() => {
    const observer = new IntersectionObserver(([entry]) => {
      if (entry.isIntersecting) setShown(true);
    });
    observer.observe(box.current);
    return () => observer.disconnect();
  }, []);
  return [box, shown];
}

function Words({ text, start, end }) {
  const from = Math.max(0, start - CONTEXT);
  const to = Math.min(text.length, end + CONTEXT);
  return (
    <div className="whitespace-pre-wrap break-words text-sm leading-6" data-testid="passage">
      {from > 0 ? "… " : ""}
      {text.slice(from, start)}
      <mark
        className="rounded px-0.5"
        style={{ background: "#ffe97a", color: "#1a1a1a" }}
        ref={(node) => node && node.scrollIntoView({ block: "center" })}
      >
        {text.slice(start, end)}
      </mark>
      {text.slice(end, to)}
      {to < text.length ? " …" : ""}
    </div>
  );
}

export default function Citation() {
  const { document: id, file, page, start, end, quote } = props;
  const [shown, setShown] = useState(page || 0);
  const [data, setData] = useState(null);
  const [error, setError] = useState("");
  const [box, visible] = useShown();

  useEffect(() => {
    if (!visible) return undefined;
    let current = true;
    setData(null);
    fetch(`/v1/files/${id}/pages/${shown}`)
      .then(async (response) => {
        const body = await response.json();
        if (!response.ok) throw new Error(body.error?.message || response.statusText);
        return body;
      })
      .then((body) => current && setData(body))
      .catch((problem) => current && setError(problem.message));
    return () => {
      current = false;
    };
  }, [id, shown, visible]);

  const isPdf = data && data.media_type === "application/pdf";
  const marked = shown === (page || 0);
  // Offsets count code points; JavaScript strings count UTF-16 units.
  const units = (text, index) => [...text].slice(0, index).join("").length;

  return (
    <div className="flex flex-col gap-3" data-testid="citation" ref={box}>
      <div className="flex items-center justify-between gap-2">
        <div className="font-medium break-all">{file}</div>
        <a href={`/v1/files/${id}/content`} download={file} title="Download the original">
          <Download className="h-4 w-4" />
        </a>
      </div>
      {page && data ? (
        <div className="flex items-center gap-2 text-sm text-muted-foreground">
          <Button
            variant="ghost"
            size="icon"
            aria-label="Previous page"
            disabled={shown <= 1}
            onClick={() => setShown(shown - 1)}
          >
            <ChevronLeft />
          </Button>
          <span data-testid="page">
            Page {shown} of {data.page_count}
          </span>
          <Button
            variant="ghost"
            size="icon"
            aria-label="Next page"
            disabled={shown >= data.page_count}
            onClick={() => setShown(shown + 1)}
          >
            <ChevronRight />
          </Button>
          {marked ? null : (
            <Button variant="link" onClick={() => setShown(page)}>
              Back to the citation
            </Button>
          )}
        </div>
      ) : null}
      {error ? (
        <div className="text-sm">
          <p>{error}</p>
          <p className="mt-2 italic">“{quote}”</p>
        </div>
      ) : !data ? (
        <p className="text-sm text-muted-foreground">Opening the source…</p>
      ) : isPdf ? (
        <img
          className="w-full rounded border"
          alt={`Page ${shown} of ${file}`}
          src={
            `/v1/files/${id}/pages/${shown}.png` +
            (marked ? `?start=${start}&end=${end}` : "")
          }
        />
      ) : (
        <Words
          text={data.text}
          start={marked ? units(data.text, start) : 0}
          end={marked ? units(data.text, end) : 0}
        />
      )}
    </div>
  );
}
