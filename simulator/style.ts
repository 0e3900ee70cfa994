/** The phone's stylesheet: WeChat's green, large targets, dark text, light or dark as the phone is set. */
export const stylesheet = `
:root { color-scheme: light dark; --green: #07c160; --green-dark: #06ad56; --ink: #181818; --quiet: #5f6368;
  --ground: #ededed; --card: #fff; --line: #e3e3e3; --warn: #8a4b00; --warn-ground: #fff4e0; }
@media (prefers-color-scheme: dark) { :root { --ink: #ececec; --quiet: #a8a8a8; --ground: #111; --card: #1e1e1e;
  --line: #333; --warn: #ffce8a; --warn-ground: #3a2a10; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); line-height: 1.5;
  font: 16px/1.5 -apple-system, "PingFang SC", "Noto Sans SC", "Microsoft YaHei", system-ui, sans-serif; }
header { background: var(--green); padding: 0 16px; }
header, main, footer { max-width: 430px; margin: 0 auto; }
header { display: flex; justify-content: space-between; align-items: center; }
header a { color: #06301a; text-decoration: none; font-weight: 600; padding: 14px 0; min-height: 48px; }
main { padding: 12px; display: grid; gap: 12px; }
.card { background: var(--card); border-radius: 12px; padding: 20px 16px; }
h1, h2 { margin: 0 0 8px; font-size: 20px; }
h2 { font-size: 16px; }
p { margin: 0 0 12px; }
.quiet, footer { color: var(--quiet); }
.summary { text-align: center; }
.state { display: inline-block; margin: 0 0 8px; padding: 2px 12px; border-radius: 999px; background: var(--ground); }
.state.paid { background: var(--green); color: #06301a; font-weight: 600; }
.merchant { margin: 0; font-weight: 600; }
.amount { margin: 4px 0 16px; font-size: 44px; line-height: 1.2; font-weight: 600; font-variant-numeric: tabular-nums; }
.amount small { font-size: 26px; margin-right: 2px; }
dl { display: grid; grid-template-columns: auto 1fr; gap: 6px 16px; margin: 0; padding-top: 14px; text-align: left;
  border-top: 1px solid var(--line); font-size: 15px; }
dt { color: var(--quiet); }
dd { margin: 0; text-align: right; overflow-wrap: anywhere; }
.notice { margin: 0; padding: 12px 16px; border-radius: 12px; background: var(--warn-ground); color: var(--warn); }
form { display: grid; gap: 10px; margin: 0; }
input:not([type=hidden]) { width: 100%; min-height: 48px; padding: 8px 12px; font: inherit; color: inherit;
  background: var(--ground); border: 1px solid var(--line); border-radius: 8px; }
button { min-height: 52px; padding: 10px 16px; font: inherit; color: inherit; text-align: left; cursor: pointer;
  background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
button:hover { border-color: var(--green); }
button:focus-visible, a:focus-visible, input:focus-visible, summary:focus-visible { outline: 3px solid #0a6cff;
  outline-offset: 2px; }
button.primary { background: var(--green); border-color: var(--green); color: #06301a; text-align: center;
  font-size: 18px; font-weight: 700; }
button.primary:hover { background: var(--green-dark); }
button.secondary { text-align: center; background: transparent; }
.button { display: inline-block; padding: 12px 20px; border-radius: 10px; border: 1px solid var(--line); color: inherit; }
.stories button strong, .stories button span { display: block; }
.stories button span { color: var(--quiet); font-size: 14px; }
form small { display: block; color: var(--quiet); font-size: 11px; line-height: 1.35; overflow-wrap: anywhere; }
.note { margin: 2px 0 6px; color: var(--quiet); font-size: 12px; } .note summary { cursor: pointer; }
.orders { list-style: none; margin: 0; padding: 0; }
.orders a { display: flex; justify-content: space-between; align-items: center; gap: 16px; min-height: 56px;
  padding: 8px 0; color: inherit; text-decoration: none; border-top: 1px solid var(--line); }
.orders small { color: var(--quiet); }
.refunds { list-style: none; margin: 0; padding: 0; }
.refunds li { display: grid; gap: 2px; padding: 10px 0; border-top: 1px solid var(--line); overflow-wrap: anywhere; }
.refunds small { color: var(--quiet); font-size: 14px; }
.code { padding: 0 16px 8px; color: var(--quiet); }
.code summary { min-height: 44px; cursor: pointer; }
.code img { display: block; background: #fff; border-radius: 8px; }
.code code { display: block; overflow-wrap: anywhere; font-size: 13px; margin-top: 8px; }
footer { padding: 4px 28px 28px; font-size: 14px; text-align: center; }
`
