CREATE TABLE bill AS SELECT *, kind = 'refund' AS back, if(back, refund_id, transaction_id) AS id,
  if(back, out_refund_no, out_trade_no) AS no, starts_with(out_trade_no, 'TEA-') AND ends_with(appid, '01') AS mine,
  row_number() OVER (PARTITION BY kind, id ORDER BY line) AS nth
  FROM read_json_auto(getvariable('rows'), maximum_sample_files = 1, sample_size = -1);
CREATE TABLE ours AS SELECT *, kind = 'refund' AS back, if(back, refund_id, transaction_id) AS id,
  if(back, out_refund_no, out_trade_no) AS no
  FROM read_json_auto(getvariable('records'), sample_size = -1);
CREATE TABLE bill_alone AS SELECT * FROM bill b WHERE nth = 1 AND kind <> 'reversal'
  AND NOT EXISTS (FROM ours o WHERE o.back = b.back AND o.id = b.id);
CREATE TABLE ours_alone AS SELECT * FROM ours o
  WHERE NOT EXISTS (FROM bill b WHERE o.back = b.back AND o.id = b.id);
CREATE TABLE agreed (status VARCHAR, state VARCHAR);
INSERT INTO agreed VALUES ('PROCESSING', 'processing'), ('PROCESSING', 'abnormal'), ('PROCESSING', 'succeeded'),
  ('PROCESSING', 'closed'), ('PROCESSING', 'returned_to_merchant'), ('SUCCESS', 'succeeded'),
  ('SUCCESS', 'returned_to_merchant'), ('CHANGE', 'abnormal'), ('CHANGE', 'closed'),
  ('CHANGE', 'returned_to_merchant'), ('FAIL', 'closed'), ('FAIL', 'refused');
CREATE TABLE pairs AS SELECT b.back, b.id AS bill_id, o.id AS our_id, CASE
    WHEN b.id <> o.id OR b.no <> o.no OR b.transaction_id <> o.transaction_id OR b.out_trade_no <> o.out_trade_no
      OR b.appid <> o.appid AND NOT b.back THEN 'number'
    WHEN b.back AND (b.refund <> o.refund OR b.settlement_refund <> o.settlement_refund) THEN 'amount'
    WHEN NOT b.back AND (b.total <> o.total OR b.settled_total <> o.settled_total OR b.currency <> o.currency) THEN 'amount'
    WHEN NOT b.back AND b.trade_state <> 'SUCCESS' THEN 'state'
    WHEN b.back AND (b.refund_status, o.state) NOT IN (FROM agreed)
      AND NOT (b.refund_status = 'SUCCESS' AND o.success_time IS NOT NULL AND o.state IN ('abnormal', 'closed'))
      THEN 'state' END AS kind
  FROM (SELECT b, o FROM bill b JOIN ours o ON b.nth = 1 AND b.kind = o.kind AND b.id = o.id
    UNION ALL SELECT b, o FROM bill_alone b JOIN ours_alone o ON b.back = o.back AND b.no = o.no);
SELECT if(back, 'refund_', '') || kind AS kind, bill_id, our_id FROM pairs WHERE kind IS NOT NULL
UNION ALL SELECT if(back, 'refund_', '') || 'missing_here', id, '' FROM bill_alone b
  WHERE mine AND NOT EXISTS (FROM pairs p WHERE p.back = b.back AND p.bill_id = b.id)
UNION ALL SELECT if(back, 'refund_', '') || 'missing_there', '', id FROM ours_alone o
  WHERE NOT EXISTS (FROM pairs p WHERE p.back = o.back AND p.our_id = o.id)
UNION ALL SELECT 'duplicate', b.id, coalesce(o.id, '') FROM bill b LEFT JOIN ours o USING (back, id) WHERE nth > 1
UNION ALL SELECT 'state', b.id, coalesce(o.id, '') FROM bill b LEFT JOIN ours o USING (back, id)
  WHERE b.kind = 'reversal' AND nth = 1 AND (o.id IS NOT NULL OR mine);
