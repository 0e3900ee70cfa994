export const actor_kinds = ['weft', 'merchant', 'operator', 'payer', 'wechat', 'temporal_ui'] as const

export interface Actor {
  kind: (typeof actor_kinds)[number]
  id: string | null
}

export const weft_actor: Actor = { kind: 'weft', id: null }
export const wechat_actor: Actor = { kind: 'wechat', id: null }
