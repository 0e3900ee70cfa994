export interface Actor {
  kind: 'weft' | 'merchant' | 'operator' | 'payer' | 'wechat' | 'temporal_ui'
  id: string | null
}

export const weft_actor: Actor = { kind: 'weft', id: null }
export const wechat_actor: Actor = { kind: 'wechat', id: null }
