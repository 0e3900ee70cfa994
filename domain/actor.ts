export interface Actor {
  kind: 'weft' | 'merchant' | 'operator' | 'payer' | 'wechat' | 'temporal_ui'
  id: string | null
}

export const weft: Actor = { kind: 'weft', id: null }
export const wechat: Actor = { kind: 'wechat', id: null }
