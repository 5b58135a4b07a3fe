package com.example.hangs;

import java.util.concurrent.CountDownLatch;

import org.junit.jupiter.api.Test;

class FogTest {

    /** Waits for ever, on purpose: nobody counts down. */
    @Test
    void waitsForTheFogToLift() throws InterruptedException {
        System.out.println("waiting for the fog to lift");
        new CountDownLatch(1).await();
    }
}
