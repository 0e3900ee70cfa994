/** A history as text with every payload opened: inside they are base64, where nothing could be found. */
export function readable(history: unknown): string {
  return JSON.stringify(history, (key, value: unknown) =>
    key === 'data' && typeof value === 'string' ? Buffer.from(value, 'base64').toString('utf8') : value,
  )
}
