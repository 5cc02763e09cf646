-- wrk profile for the ceiling: every request posts a sample with an id of its own. Use it through `python -m loadtest.ceiling`, or:
--   wrk -t1 -c16 -d10s --latency -s loadtest/ceiling.lua http://127.0.0.1:8000 -- /v1/streams/NAME/samples PREFIX
-- A key is taken from ASKWHEN_KEY. The last line is the result as JSON; times in milliseconds.

local threads = 0

function setup(thread)
  threads = threads + 1
  thread:set("number", threads)
end

function init(arguments)
  path, prefix = arguments[1], arguments[2]
  headers = { ["Content-Type"] = "application/json" }
  local key = os.getenv("ASKWHEN_KEY")
  if key and key ~= "" then headers["Authorization"] = "Bearer " .. key end
  count = 0
  math.randomseed(number)
end

function request()
  count = count + 1
  local features = {}
  for index = 1, 9 do
    features[index] = string.format('"x%d":%.4f', index, math.random() * 2 - 1)
  end
  local body = string.format('{"id":"%s-%d-%d","features":{%s}}', prefix, number, count, table.concat(features, ","))
  return wrk.format("POST", path, headers, body)
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"seconds":%.3f,"p50":%.3f,"p95":%.3f,"p99":%.3f,"max":%.3f,"refused":%d,"broken":%d,"late":%d}\n',
    summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(95) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3,
    errors.status, errors.connect + errors.read + errors.write, errors.timeout))
end
