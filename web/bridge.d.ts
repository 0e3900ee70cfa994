/** What came of a pay sheet, as WeChat tells the page. `silent`: it has told nothing for two minutes. */
export interface SheetHint {
  outcome: 'ok' | 'cancel' | 'fail' | 'no_bridge' | 'silent'
  said: string | null
}

export function weChatBridge(options?: { limit_ms?: number }): Promise<unknown>
export function payInWeChat(call: Record<string, string>, options?: { limit_ms?: number }): Promise<SheetHint>
