package com.example.forkbomb;

import static org.junit.jupiter.api.Assertions.fail;

import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.util.ArrayList;
import java.util.List;

import org.junit.jupiter.api.Test;

class GullTest {

    /** Far above the limit of any build, far below what takes a machine down that sets none. */
    private static final int CEILING = 4_000;

    /** Refusals in a row after which the gulls give up. */
    private static final int PATIENCE = 200;

    /**
     * Starts processes and keeps them, on purpose, and goes on for a while when the machine refuses. It leaves its
     * children behind, as a real one does; only where no limit stopped it, it cleans up.
     */
    @Test
    void multiply() throws InterruptedException {
        List<Process> gulls = new ArrayList<>();
        int refusals = 0;
        Throwable last = null;
        while (gulls.size() < CEILING && refusals < PATIENCE) {
            try {
                gulls.add(new ProcessBuilder("sleep", "300")
                        .redirectInput(Redirect.from(new java.io.File("/dev/null")))
                        .redirectOutput(Redirect.DISCARD)
                        .redirectError(Redirect.DISCARD)
                        .start());
                refusals = 0;
            } catch (IOException | OutOfMemoryError e) {
                // The second is what Java says when it cannot have the thread that watches the process.
                last = e;
                refusals++;
                Thread.sleep(10);
            }
            if (gulls.size() % 100 == 0 && refusals == 0) {
                System.out.println(gulls.size() + " gulls");
            }
        }
        if (last == null || refusals < PATIENCE) {
            gulls.forEach(Process::destroyForcibly);
            fail("no limit stopped " + gulls.size() + " processes");
        }
        fail("refused after " + gulls.size() + " processes: " + last, last);
    }
}
