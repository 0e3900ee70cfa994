/** All that Temporal keeps of a run as text: its payloads decoded, since base64 hides what it carries. */
export function textOfHistory(history: unknown): string {
  if (history instanceof Uint8Array) return Buffer.from(history).toString('utf8')
  if (typeof history !== 'object' || history === null) return String(history)
  return Object.values(history).map(textOfHistory).join('\n')
}
