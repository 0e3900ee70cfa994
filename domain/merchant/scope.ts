/** What a key may do. A key belongs to one merchant, so a scope names a kind of thing, never whose. */
export const scopes = [
  'orders:read',
  'orders:write',
  'orders:decide',
  'refunds:read',
  'refunds:write',
  'refunds:approve',
  'events:read',
  'events:write',
  'money:read',
  'money:write',
  'evidence:read',
  'evidence:decrypt',
  'settings:read',
  'settings:write',
] as const

export type Scope = (typeof scopes)[number]
