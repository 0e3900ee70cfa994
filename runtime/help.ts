/** Whether a command is asked what it does: it then says so before it looks at any setting. */
export function asksForHelp(words: readonly string[]): boolean {
  return words.some((word) => word === '--help' || word === '-h') || words[0] === 'help'
}
