package com.example.integration;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;

import java.io.IOException;
import java.util.zip.ZipFile;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Can run only after {@code package}: it opens the WAR that was packed. */
class PackedWarIT {

    private ZipFile war;

    @BeforeEach
    void open() throws IOException {
        war = new ZipFile(System.getProperty("war.file"));
    }

    @AfterEach
    void close() throws IOException {
        war.close();
    }

    @Test
    void holdsTheServlet() {
        assertNotNull(war.getEntry("WEB-INF/classes/com/example/integration/BuoyServlet.class"));
    }

    @Test
    void leavesTheServletApiToTheContainer() {
        assertFalse(war.stream().anyMatch(entry -> entry.getName().contains("servlet-api")));
    }

    @Test
    void holdsNoTests() {
        assertFalse(war.stream().anyMatch(entry -> entry.getName().endsWith("IT.class")));
    }
}
