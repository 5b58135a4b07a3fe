-- Load for tests/bench: hooks of one body, each with a key of its own.
-- wrk -s hooks.lua URL -- <file with the body> <secret> <prefix of the keys>

local number = 0

function init(args)
    local file = assert(io.open(args[1], "rb"))
    wrk.method, wrk.body = "POST", file:read("*a")
    file:close()
    wrk.headers["Content-Type"] = "application/json"
    wrk.headers["X-Gitlab-Event"] = "Push Hook"
    wrk.headers["X-Gitlab-Token"] = args[2]
    wrk.headers["User-Agent"] = "GitLab/17.9.1-ee"
    prefix = args[3]
end

function request()
    number = number + 1
    wrk.headers["Idempotency-Key"] = prefix .. "-" .. number
    return wrk.format()
end

-- An answer below 400 that is no 202 is found by the count of rows.
function done(summary, latency, requests)
    local errors = summary.errors
    local wrong = errors.connect + errors.read + errors.write + errors.status + errors.timeout
    io.write(string.format("RESULT %d %d %d\n", summary.requests, summary.duration, wrong))
end
