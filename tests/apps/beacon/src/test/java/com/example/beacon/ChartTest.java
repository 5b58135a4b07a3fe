package com.example.beacon;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Files;
import java.nio.file.Path;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ChartTest {

    @Test
    void showsWhatIsThere(@TempDir Path directory) throws Exception {
        Path chart = directory.resolve("chart.txt");
        assertEquals("no chart on board", Chart.at(chart));
        Files.writeString(chart, "north\n");
        assertEquals("north", Chart.at(chart));
    }
}
